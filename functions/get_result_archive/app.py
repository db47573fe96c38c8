"""GET /runs/{runId}/downloads/archive: all result files of a run in one archive, straight from S3."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads
from flowserverless.auth import public_downloads

app = api.App(tag="downloads", access="anybody, more to users")


@app.get("/runs/<runId>/downloads/archive", answers=302, refuses=[409])
def get_result_archive(runId: api.RunId) -> Response[str]:
    """Redirect to the archive (tar.gz); the link works for a few minutes."""
    run = public_downloads.run(app.caller(), runId)
    return api.redirect(downloads.archive(run, "run.tar.gz", app.is_head()))


handler = app.handler()

"""GET /runs/{runId}/downloads/archive: all result files of a run in one archive, straight from S3."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads
from flowserverless.auth import authorize

app = api.App(public=True)


@app.get(
    "/runs/<runId>/downloads/archive",
    **api.operation("get_result_archive", 302, 409, tag="downloads", optional=True),
)
def get_result_archive(runId: api.RunId) -> Response[str]:
    """Redirect to the archive (tar.gz); the link works for a few minutes."""
    run = authorize.downloadable_run(api.caller(app), runId)
    return api.redirect(downloads.archive(run, "run.tar.gz", api.is_head(app)))


handler = api.handler(app)

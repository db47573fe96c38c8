"""GET /runs/{runId}/downloads/files/{fileId}: a result file, straight from S3."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads
from flowserverless.auth import public_downloads

app = api.App(tag="downloads", access="anybody, more to users")


@app.get("/runs/<runId>/downloads/files/<fileId>", answers=302)
def get_result_file(runId: api.RunId, fileId: api.FileId) -> Response[str]:
    """Redirect to the file; the link works for a few minutes."""
    run = public_downloads.run(app.caller(), runId)
    return api.redirect(downloads.file(run, fileId, app.is_head()))


handler = app.handler()

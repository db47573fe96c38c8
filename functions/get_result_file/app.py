"""GET /runs/{runId}/downloads/files/{fileId}: a result file, straight from S3."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads
from flowserverless.auth import authorize

app = api.App(public=True)


@app.get(
    "/runs/<runId>/downloads/files/<fileId>",
    **api.operation("get_result_file", 302, tag="downloads", optional=True),
)
def get_result_file(runId: api.RunId, fileId: api.FileId) -> Response[str]:
    """Redirect to the file; the link works for a few minutes."""
    run = authorize.downloadable_run(api.caller(app), runId)
    return api.redirect(downloads.file(run, fileId, api.is_head(app)))


handler = api.handler(app)

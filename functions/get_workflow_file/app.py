"""GET /workflows/{workflowId}/downloads/files/{fileId}: a file of the current post-processing results."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads, post_processing

app = api.App(tag="downloads", access="anybody")


@app.get("/workflows/<workflowId>/downloads/files/<fileId>", answers=302)
def get_workflow_file(workflowId: api.WorkflowId, fileId: api.FileId) -> Response[str]:
    """Redirect to the file; the link works for a few minutes."""
    return api.redirect(downloads.file(post_processing.result(workflowId), fileId, app.is_head()))


handler = app.handler()

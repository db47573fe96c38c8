"""GET /workflows/{workflowId}/files/{fileId}: a file that the organiser lets anybody download."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads

app = api.App(tag="downloads", access="anybody")


@app.get("/workflows/<workflowId>/files/<fileId>", answers=302)
def get_public_file(workflowId: api.WorkflowId, fileId: api.FileId) -> Response[str]:
    """Redirect to the file as the current version has it; the link works for a few minutes."""
    return api.redirect(downloads.public(workflowId, fileId, app.is_head()))


handler = app.handler()

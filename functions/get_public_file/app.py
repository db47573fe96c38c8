"""GET /workflows/{workflowId}/files/{fileId}: a file that the organiser lets anybody download."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads

app = api.App(public=True)
ROUTE = "/workflows/<workflowId>/files/<fileId>"


@app.get(ROUTE, **api.operation("get_public_file", 302, tag="downloads", public=True))
def get_public_file(workflowId: api.WorkflowId, fileId: api.FileId) -> Response[str]:
    """Redirect to the file as the current version has it; the link works for a few minutes."""
    return api.redirect(downloads.public(workflowId, fileId, api.is_head(app)))


handler = api.handler(app)

"""GET /workflows/{workflowId}/groups: the groups that take part in a workflow, as far as the caller may see them."""

from flowserverless import api
from flowserverless.api import handles, listings

app = api.App(tag="groups")


@app.get("/workflows/<workflowId>/groups")
def list_workflow_groups(
    workflowId: api.WorkflowId, limit: api.Limit = 1000, cursor: api.Cursor = None
) -> handles.GroupListing:
    """List the caller's groups in a workflow; an organiser sees all of them."""
    return listings.groups_in(app.caller(), workflowId, limit, cursor)


handler = app.handler()

"""GET /workflows/{workflowId}: what a workflow is, what it takes, and its post-processing results."""

from flowserverless import access, api, details, views

app = api.app(public=True, personal=True)


@app.get("/workflows/<workflowId>", **api.operation("get_workflow", 200, tag="workflows", optional=True))
def get_workflow(workflowId: api.WorkflowId) -> views.WorkflowHandle:
    """Show a workflow; to who is signed in also their groups of it."""
    return details.workflow(access.caller(app), workflowId)


handler = api.handler(app)

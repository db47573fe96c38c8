"""GET /workflows/{workflowId}: what a workflow is, what it takes, and its post-processing results."""

from flowserverless import api, details, views

app = api.app(public=True)


@app.get("/workflows/<workflowId>", **api.operation("get_workflow", 200, tag="workflows", public=True))
def get_workflow(workflowId: api.WorkflowId) -> views.WorkflowHandle:
    """Show a workflow."""
    return details.workflow(workflowId)


handler = api.handler(app)

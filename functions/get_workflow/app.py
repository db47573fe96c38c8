"""GET /workflows/{workflowId}: what a workflow is, what it takes, and its post-processing results."""

from flowserverless import api
from flowserverless.api import handles, workflow_details

app = api.App(public=True, personal=True)


@app.get("/workflows/<workflowId>", **api.operation("get_workflow", 200, tag="workflows", optional=True))
def get_workflow(workflowId: api.WorkflowId) -> handles.WorkflowHandle:
    """Show a workflow; to who is signed in also their groups of it."""
    return workflow_details.workflow(api.caller(app), workflowId)


handler = api.handler(app)

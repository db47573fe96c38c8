"""GET /workflows/{workflowId}: what a workflow is, what it takes, and its post-processing results."""

from flowserverless import api
from flowserverless.api import handles, workflow_details

app = api.App(tag="workflows", access="anybody, more to users")


@app.get("/workflows/<workflowId>")
def get_workflow(workflowId: api.WorkflowId) -> handles.WorkflowHandle:
    """Show a workflow; to who is signed in also their groups of it."""
    return workflow_details.workflow(app.caller(), workflowId)


handler = app.handler()

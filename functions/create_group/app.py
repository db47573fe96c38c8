"""POST /workflows/{workflowId}/groups: a new group that submits to the workflow, owned by the caller."""

from flowserverless import access, api, membership, requests, views

app = api.app()


@app.post("/workflows/<workflowId>/groups", **api.operation("create_group", 201, 409, tag="groups"))
def create_group(workflowId: api.WorkflowId, body: requests.CreateGroup) -> views.GroupHandle:
    """Create a group. Its name is unique in the workflow; the caller is always a member."""
    return membership.create(access.caller(app), workflowId, body, api.now())


handler = api.handler(app)

"""POST /workflows/{workflowId}/groups: a new group that submits to the workflow, owned by the caller."""

from flowserverless import api, clock
from flowserverless.api import handles, requests, views
from flowserverless.operations import create

app = api.App(tag="groups")


@app.post("/workflows/<workflowId>/groups", answers=201, refuses=[409])
def create_group(workflowId: api.WorkflowId, body: requests.CreateGroup) -> handles.GroupHandle:
    """Create a group. Its name is unique in the workflow; the caller is always a member."""
    wanted = create.Wanted(body.name, body.called(), body.members or [], body.parameters, body.chosen())
    made = create.group(app.caller(), workflowId, wanted, clock.now())
    return views.group(made.group, made.members, made.parameters, of_runs=[])


handler = app.handler()

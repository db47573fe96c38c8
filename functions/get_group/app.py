"""GET /groups/{groupId}: a group with its members, uploaded files and newest runs."""

from flowserverless import api
from flowserverless.api import group_details, handles

app = api.App()


@app.get("/groups/<groupId>", **api.operation("get_group", 200, tag="groups"))
def get_group(groupId: api.GroupId) -> handles.GroupHandle:
    """Show a group."""
    return group_details.group(api.caller(app), groupId)


handler = api.handler(app)

"""GET /groups/{groupId}: a group with its members, uploaded files and newest runs."""

from flowserverless import api
from flowserverless.api import group_details, handles

app = api.App(tag="groups")


@app.get("/groups/<groupId>")
def get_group(groupId: api.GroupId) -> handles.GroupHandle:
    """Show a group."""
    return group_details.group(app.caller(), groupId)


handler = app.handler()

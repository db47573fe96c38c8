"""PUT /groups/{groupId}: another name or other members for a group (POST is the same, for older clients)."""

from flowserverless import api
from flowserverless.api import handles, requests
from flowserverless.operations import update

app = api.App()


@app.put("/groups/<groupId>", **api.operation("update_group", 200, 409, tag="groups"))
def update_group(groupId: api.GroupId, body: requests.UpdateGroup) -> handles.GroupHandle:
    """Change a group; what the body does not name stays as it is."""
    return update.group(api.caller(app), groupId, body)


app.post("/groups/<groupId>", **api.operation("update_group_by_post", 200, 409, tag="groups"))(update_group)
handler = api.handler(app)

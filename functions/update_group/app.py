"""PUT /groups/{groupId}: another name or other members for a group (POST is the same, for older clients)."""

import functools

from flowserverless import api
from flowserverless.api import group_details, handles, requests
from flowserverless.auth import authorize
from flowserverless.operations import update

app = api.App()


@app.put("/groups/<groupId>", **api.operation("update_group", 200, 409, tag="groups"))
def update_group(groupId: api.GroupId, body: requests.UpdateGroup) -> handles.GroupHandle:
    """Change a group; what the body does not name stays as it is."""
    who = api.caller(app)
    read = functools.partial(authorize.roster, who, groupId)
    return group_details.changed_group(
        who, *update.group(who, read, update.Changes(body.name, body.members, body.owner))
    )


app.post("/groups/<groupId>", **api.operation("update_group_by_post", 200, 409, tag="groups"))(update_group)
handler = api.handler(app)

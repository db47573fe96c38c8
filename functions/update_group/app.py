"""PUT /groups/{groupId}: another name or other members for a group (POST is the same, for older clients)."""

import functools

from flowserverless import api
from flowserverless.api import group_details, handles, requests
from flowserverless.auth import permissions
from flowserverless.operations import update

app = api.App(tag="groups")


@app.put("/groups/<groupId>", refuses=[409])
def update_group(groupId: api.GroupId, body: requests.UpdateGroup) -> handles.GroupHandle:
    """Change a group; what the body does not name stays as it is."""
    who = app.caller()
    read = functools.partial(permissions.roster, who, groupId)
    return group_details.changed_group(
        who, *update.group(who, read, update.Changes(body.name, body.members, body.owner))
    )


app.post("/groups/<groupId>", refuses=[409], name="update_group_by_post")(update_group)
handler = app.handler()

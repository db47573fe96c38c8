"""DELETE /groups/{groupId}: a group with its runs, uploads and ranking entries; its owner or an organiser may."""

from flowserverless import access, api, deletion

app = api.app()


@app.delete("/groups/<groupId>", **api.operation("delete_group", 204, 409, tag="groups"))
def delete_group(groupId: api.GroupId) -> None:
    """Delete a group; refused (409) while it has active runs."""
    group = access.owned_group(access.caller(app), groupId)
    deletion.delete_group(group, api.now())


handler = api.handler(app)

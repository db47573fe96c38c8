"""GET /groups/{groupId}: a group with its members, uploaded files and newest runs."""

from flowserverless import access, api, details, views

app = api.app()


@app.get("/groups/<groupId>", **api.operation("get_group", 200, tag="groups"))
def get_group(groupId: api.GroupId) -> views.GroupHandle:
    """Show a group."""
    return details.group(access.caller(app), groupId)


handler = api.handler(app)

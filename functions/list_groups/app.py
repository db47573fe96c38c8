"""GET /groups: the groups that the caller belongs to."""

from flowserverless import access, api, listings, views

app = api.app()


@app.get("/groups", **api.operation("list_groups", 200, tag="groups"))
def list_groups(limit: api.Limit = 1000, cursor: api.Cursor = None) -> views.GroupListing:
    """List the caller's groups by identifier."""
    return listings.groups_of(access.caller(app), limit, cursor)


handler = api.handler(app)

"""GET /groups: the groups that the caller belongs to."""

from flowserverless import api
from flowserverless.api import handles, listings

app = api.App()


@app.get("/groups", **api.operation("list_groups", 200, tag="groups"))
def list_groups(limit: api.Limit = 1000, cursor: api.Cursor = None) -> handles.GroupListing:
    """List the caller's groups by identifier."""
    return listings.groups_of(api.caller(app), limit, cursor)


handler = api.handler(app)

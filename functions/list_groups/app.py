"""GET /groups: the groups that the caller belongs to."""

from flowserverless import api
from flowserverless.api import handles, listings

app = api.App(tag="groups")


@app.get("/groups")
def list_groups(limit: api.Limit = 1000, cursor: api.Cursor = None) -> handles.GroupListing:
    """List the caller's groups by identifier."""
    return listings.groups_of(app.caller(), limit, cursor)


handler = app.handler()

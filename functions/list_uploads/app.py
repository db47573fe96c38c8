"""GET /uploads/{groupId}/files: the input files that a group uploaded, newest first."""

from flowserverless import api
from flowserverless.api import handles, listings
from flowserverless.auth import permissions

app = api.App(tag="uploads")


@app.get("/uploads/<groupId>/files")
def list_uploads(groupId: api.GroupId, limit: api.Limit = 1000, cursor: api.Cursor = None) -> handles.UploadListing:
    """List uploaded files, newest first. An announced one stays PENDING here until it is asked for by its id."""
    permissions.group(app.caller(), groupId)
    return listings.uploads_of(groupId, limit, cursor)


handler = app.handler()

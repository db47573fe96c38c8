"""GET /uploads/{groupId}/files/{fileId}: an uploaded file, straight from S3."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads
from flowserverless.auth import public_downloads

app = api.App(tag="uploads", access="anybody, more to users")


@app.get("/uploads/<groupId>/files/<fileId>", answers=302, refuses=[409])
def get_upload(groupId: api.GroupId, fileId: api.FileId) -> Response[str]:
    """Redirect to the file; the link works for a few minutes."""
    upload = public_downloads.upload(app.caller(), groupId, fileId)
    return api.redirect(downloads.upload(upload, app.is_head()))


handler = app.handler()

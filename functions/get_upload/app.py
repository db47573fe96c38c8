"""GET /uploads/{groupId}/files/{fileId}: an uploaded file, straight from S3."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import downloads
from flowserverless.auth import authorize

app = api.App(public=True)


@app.get("/uploads/<groupId>/files/<fileId>", **api.operation("get_upload", 302, 409, tag="uploads", optional=True))
def get_upload(groupId: api.GroupId, fileId: api.FileId) -> Response[str]:
    """Redirect to the file; the link works for a few minutes."""
    upload = authorize.downloadable_upload(api.caller(app), groupId, fileId)
    return api.redirect(downloads.upload(upload, api.is_head(app)))


handler = api.handler(app)

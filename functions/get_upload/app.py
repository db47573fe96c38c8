"""GET /uploads/{groupId}/files/{fileId}: an uploaded file, straight from S3."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import access, api, downloads

app = api.app(public=True)


@app.get("/uploads/<groupId>/files/<fileId>", **api.operation("get_upload", 302, 409, tag="uploads", optional=True))
def get_upload(groupId: api.GroupId, fileId: api.FileId) -> Response[str]:
    """Redirect to the file; the link works for a few minutes."""
    upload = access.downloadable_upload(access.caller(app), groupId, fileId)
    return api.redirect(downloads.upload(groupId, upload, api.is_head(app)))


handler = api.handler(app)

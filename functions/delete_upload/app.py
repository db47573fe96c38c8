"""DELETE /uploads/{groupId}/files/{fileId}: an uploaded file that no active run reads."""

from flowserverless import access, api, deletion

app = api.app()


@app.delete("/uploads/<groupId>/files/<fileId>", **api.operation("delete_upload", 204, 409, tag="uploads"))
def delete_upload(groupId: api.GroupId, fileId: api.FileId) -> None:
    """Delete an uploaded file; refused (409) while an active run takes it as an argument."""
    deletion.delete_upload(access.caller(app), groupId, fileId, api.now())


handler = api.handler(app)

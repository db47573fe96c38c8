"""POST /uploads/{groupId}/files: an input file in the request, or the announcement of a large one."""

from flowserverless import access, api, uploading, views

app = api.app(takes=tuple(uploading.BODY))


@app.post(
    "/uploads/<groupId>/files",
    **api.operation("upload_file", 201, 413, tag="uploads", body=uploading.BODY),
)
def upload_file(groupId: api.GroupId) -> views.UploadHandle:
    """Upload a file as a form (part `file`), or announce one as JSON {name, size, sha256} and get a signed form."""
    access.group(access.caller(app), groupId)
    return uploading.receive(app, groupId, api.now())


handler = api.handler(app)

"""POST /uploads/{groupId}/files: an input file in the request, or the announcement of a large one."""

from flowserverless import access, api, uploading, views

app = api.app(takes=tuple(uploading.BODY))


@app.post(
    "/uploads/<groupId>/files",
    **api.operation("upload_file", 201, 413, tag="uploads", body=uploading.BODY),
)
def upload_file(groupId: api.GroupId) -> views.UploadHandle:
    """Upload a file as a form (part `file`), or announce one as JSON {name, size, sha256} and get a signed form.

    The same bytes in a group are the same file: who brings them again is answered the file that is there.
    """
    return uploading.receive(app, access.caller(app), groupId, api.now())


handler = api.handler(app)

"""POST /uploads/{groupId}/files: an input file in the request, or the announcement of a large one."""

from flowserverless import api, clock
from flowserverless.api import handles, upload_forms

app = api.App(takes=tuple(upload_forms.BODY))


@app.post(
    "/uploads/<groupId>/files",
    **api.operation("upload_file", 201, 413, tag="uploads", body=upload_forms.BODY),
)
def upload_file(groupId: api.GroupId) -> handles.UploadHandle:
    """Upload a file as a form (part `file`), or announce one as JSON {name, size, sha256} and get a signed form.

    The same bytes in a group are the same file: who brings them again is answered the file that is there.
    """
    return upload_forms.receive(app.current_event, api.caller(app), groupId, clock.now())


handler = api.handler(app)

"""POST /uploads/{groupId}/files: an input file in the request, or the announcement of a large one."""

import functools

from flowserverless import api, clock
from flowserverless.api import handles, upload_forms, views
from flowserverless.auth import permissions
from flowserverless.operations import upload

app = api.App(tag="uploads", takes=upload_forms.BODY)


@app.post("/uploads/<groupId>/files", answers=201, refuses=[413])
def upload_file(groupId: api.GroupId) -> handles.UploadHandle:
    """Upload a file as a form (part `file`), or announce one as JSON {name, size, sha256} and get a signed form.

    The same bytes in a group are the same file: who brings them again is answered the file that is there.
    """
    who = app.caller()
    read = functools.partial(permissions.group_with, who, groupId)
    place = upload.Place(who, read()[0], clock.now(), read)
    return views.upload(*upload.file(place, *upload_forms.read(app.event)))


handler = app.handler()

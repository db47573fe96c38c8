"""DELETE /uploads/{groupId}/files/{fileId}: an uploaded file that no active run reads."""

import functools

from flowserverless import api, clock
from flowserverless.auth import authorize
from flowserverless.operations import delete

app = api.App()


@app.delete("/uploads/<groupId>/files/<fileId>", **api.operation("delete_upload", 204, 409, tag="uploads"))
def delete_upload(groupId: api.GroupId, fileId: api.FileId) -> None:
    """Delete an uploaded file; refused (409) while an active run takes it as an argument."""
    who = api.caller(app)
    delete.upload(who, functools.partial(authorize.group, who, groupId), fileId, clock.now())


handler = api.handler(app)

"""DELETE /uploads/{groupId}/files/{fileId}: an uploaded file that no active run reads."""

import functools

from flowserverless import api, clock
from flowserverless.auth import permissions
from flowserverless.operations import delete

app = api.App(tag="uploads")


@app.delete("/uploads/<groupId>/files/<fileId>", answers=204, refuses=[409])
def delete_upload(groupId: api.GroupId, fileId: api.FileId) -> None:
    """Delete an uploaded file; refused (409) while an active run takes it as an argument."""
    who = app.caller()
    delete.upload(who, functools.partial(permissions.group, who, groupId), fileId, clock.now())


handler = app.handler()

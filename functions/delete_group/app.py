"""DELETE /groups/{groupId}: a group with its runs, uploads and ranking entries; its owner or an organiser may."""

import functools

from aws_lambda_powertools.event_handler import Response

from flowserverless import api, clock
from flowserverless.auth import permissions
from flowserverless.operations import delete

app = api.App(tag="groups")
LATER = {202: "The group is closed; what is left of it is being deleted"}


@app.delete("/groups/<groupId>", answers=204, refuses=[409], also=LATER)
def delete_group(groupId: api.GroupId) -> api.Answer:
    """Delete a group; refused (409) while it has active runs. 202 where that takes longer than a request may."""
    done = delete.group(functools.partial(permissions.owned_group, app.caller(), groupId), clock.now())
    return Response(204 if done else 202, None, "")


handler = app.handler()

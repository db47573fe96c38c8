"""POST /groups/{groupId}/runs: start a run of the group's workflow with the given arguments."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

from flowserverless import api, clock
from flowserverless.api import delivery_commands, handles, requests, views
from flowserverless.auth import permissions
from flowserverless.operations import start

app = api.App(tag="runs")
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


@app.post("/groups/<groupId>/runs", answers=201, refuses=[409, 413, 429])
def start_run(groupId: api.GroupId, body: requests.StartRun, key: Key = None) -> handles.RunHandle:
    """Start a run. A repeat with the same Idempotency-Key answers the run that the first call started."""
    who, now = app.caller(), clock.now()
    wanted = start.wanted(body.given(), body.chosen(), key)
    run = start.run(who, *permissions.group_with_uploads(who, groupId, wanted.files), wanted, now)
    return views.started_run(run, who, delivery_commands.block(run, who.user, now))


handler = app.handler()

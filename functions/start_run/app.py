"""POST /groups/{groupId}/runs: start a run of the group's workflow with the given arguments."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

from flowserverless import access, api, ingestion, requests, submission, views

app = api.app()
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


@app.post("/groups/<groupId>/runs", **api.operation("start_run", 201, 409, 413, 429, tag="runs"))
def start_run(groupId: api.GroupId, body: requests.StartRun, key: Key = None) -> views.RunHandle:
    """Start a run. A repeat with the same Idempotency-Key answers the run that the first call started."""
    who, now = access.caller(app), api.now()
    config = body.config.chosen() if body.config else {}
    run = submission.start(who, groupId, body.given(), config, key, now)
    mine = who.name if run.started_by == who.user else None
    return views.run(run, views.Beside(mine), ingestion.block(run, who.user, now))


handler = api.handler(app)

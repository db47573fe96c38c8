"""DELETE /runs/{runId}: delete a run that has ended, with everything that was kept of it."""

from flowserverless import access, api, deletion
from flowserverless.domain import runs

app = api.app()


@app.delete("/runs/<runId>", **api.operation("delete_run", 204, 409, tag="runs"))
def delete_run(runId: api.RunId) -> None:
    """Delete a run; the ranking changes at once, its files are removed within moments."""
    who = access.caller(app)
    run = access.changeable_run(who, runId).run
    deletion.delete(run, runs.timestamp(api.now()), access.acting_on(who, run))


handler = api.handler(app)

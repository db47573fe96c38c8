"""DELETE /runs/{runId}: delete a run that has ended, with everything that was kept of it."""

from flowserverless import api, clock
from flowserverless.auth import permissions
from flowserverless.operations import delete

app = api.App(tag="runs")


@app.delete("/runs/<runId>", answers=204, refuses=[409])
def delete_run(runId: api.RunId) -> None:
    """Delete a run; the ranking changes at once, its files are removed within moments."""
    who = app.caller()
    run = permissions.changeable_run(who, runId).run
    delete.run(run, clock.now(), permissions.acting_on(who, run))


handler = app.handler()

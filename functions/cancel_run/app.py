"""PUT /runs/{runId}: cancel a run that has not ended."""

from flowserverless import api, clock
from flowserverless.api import handles, requests, views
from flowserverless.auth import permissions
from flowserverless.operations import cancel

app = api.App(tag="runs")


@app.put("/runs/<runId>", refuses=[409])
def cancel_run(runId: api.RunId, body: requests.CancelRun | None = None) -> handles.RunHandle:
    """Cancel a run; its step ends within seconds. A run that has ended stays as it is (409)."""
    who = app.caller()
    run = permissions.changeable_run(who, runId).run
    reason = body.reason if body else None
    return views.run(cancel.run(run, reason, clock.now(), permissions.acting_on(who, run)))


handler = app.handler()

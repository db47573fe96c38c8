"""PUT /runs/{runId}: cancel a run that has not ended."""

from flowserverless import access, api, cancellation, requests, views
from flowserverless.domain import runs

app = api.app()


@app.put("/runs/<runId>", **api.operation("cancel_run", 200, 409, tag="runs"))
def cancel_run(runId: api.RunId, body: requests.CancelRun | None = None) -> views.RunHandle:
    """Cancel a run; its step ends within seconds. A run that has ended stays as it is (409)."""
    who = access.caller(app)
    run = access.changeable_run(who, runId).run
    reason = body.reason if body else None
    return views.run(cancellation.cancel(run, reason, runs.timestamp(api.now()), access.acting_on(who, run)))


handler = api.handler(app)

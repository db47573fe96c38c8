"""GET /runs/{runId}: one run with its steps, files, and why it failed or is not ranked."""

from flowserverless import api
from flowserverless.api import details, handles
from flowserverless.auth import permissions

app = api.App(tag="runs")


@app.get("/runs/<runId>")
def get_run(runId: api.RunId) -> handles.RunHandle:
    """Show a run."""
    who = app.caller()
    return details.run(who, permissions.run(who, runId))


handler = app.handler()

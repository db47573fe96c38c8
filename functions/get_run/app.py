"""GET /runs/{runId}: one run with its steps, files, and why it failed or is not ranked."""

from flowserverless import api
from flowserverless.api import details, handles
from flowserverless.auth import authorize

app = api.App()


@app.get("/runs/<runId>", **api.operation("get_run", 200, tag="runs"))
def get_run(runId: api.RunId) -> handles.RunHandle:
    """Show a run."""
    who = api.caller(app)
    return details.run(who, authorize.run(who, runId))


handler = api.handler(app)

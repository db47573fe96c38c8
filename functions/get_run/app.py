"""GET /runs/{runId}: one run with its steps, files, and why it failed or is not ranked."""

from flowserverless import access, api, details, views

app = api.app()


@app.get("/runs/<runId>", **api.operation("get_run", 200, tag="runs"))
def get_run(runId: api.RunId) -> views.RunHandle:
    """Show a run."""
    who = access.caller(app)
    return details.run(who, access.run(who, runId))


handler = api.handler(app)

"""GET /runs/{runId}/logs: what a step printed, also while it runs and after it failed."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import step_logs
from flowserverless.auth import authorize

app = api.App()
TEXT = {"text/plain": {"schema": {"type": "string"}}}


@app.get("/runs/<runId>/logs", **api.operation("get_run_logs", 200, tag="runs", content=TEXT, also={302: "All of it"}))
def get_run_logs(runId: api.RunId, step: api.Step = None, tail: api.Tail = None) -> Response[str]:
    """The log of a step: a redirect to all of it, or with `tail` its end."""
    return step_logs.log(authorize.run(api.caller(app), runId).run, step, tail, api.is_head(app))


handler = api.handler(app)

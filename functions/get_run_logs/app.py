"""GET /runs/{runId}/logs: what a step printed, also while it runs and after it failed."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import api
from flowserverless.api import step_logs
from flowserverless.auth import permissions

app = api.App(tag="runs")


@app.get("/runs/<runId>/logs", content={"text/plain": str}, also={302: "All of it"})
def get_run_logs(runId: api.RunId, step: api.Step = None, tail: api.Tail = None) -> Response[str]:
    """The log of a step: a redirect to all of it, or with `tail` its end."""
    return step_logs.log(permissions.run(app.caller(), runId).run, step, tail, app.is_head())


handler = app.handler()

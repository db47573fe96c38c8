"""GET /runs/{runId}/logs: what a step printed, also while it runs and after it failed."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from flowserverless import access, api, details

app = api.app()
TEXT = {"text/plain": {"schema": {"type": "string"}}}
Step = Annotated[int | None, Query(ge=0, le=999, description="Number of the step from 0; by default the last begun")]
Tail = Annotated[
    int | None, Query(ge=1, le=1_000_000, description="Only the last so many bytes, as text in the answer")
]


@app.get("/runs/<runId>/logs", **api.operation("get_run_logs", 200, tag="runs", content=TEXT, also={302: "All of it"}))
def get_run_logs(runId: api.RunId, step: Step = None, tail: Tail = None) -> Response[str]:
    """The log of a step: a redirect to all of it, or with `tail` its end."""
    return details.log(access.run(access.caller(app), runId).run, step, tail, api.is_head(app))


handler = api.handler(app)

"""GET /runs/{runId}/jobs/{jobId}: how the containers of a job in AWS Batch learn what to fetch and where to deliver."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from flowserverless import api, clock
from flowserverless.operations import stage

app = api.App(tag="runs", access="anybody")
JobId = Annotated[str, Path(description="Number of the step and the job's secret, by which it is let in")]


@app.get("/runs/<runId>/jobs/<jobId>", answers=302, refuses=[409], head=False)
def get_job_manifest(runId: api.RunId, jobId: JobId) -> Response[str]:
    """Redirect to a manifest whose signed URLs work for some hours; for containers, not for people."""
    return api.redirect(stage.job(runId, jobId, clock.now()))


handler = app.handler()

"""Before each step: record where the run is, and sign the URLs that this step needs."""

from typing import Any

from flowserverless import api, staging, task


def stage_step(event: dict[str, Any]) -> dict[str, Any]:
    """Answer the signed URL of the step's manifest."""
    return staging.stage(event, api.now())


handler = task.handler(stage_step)

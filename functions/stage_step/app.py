"""Before each step: record where the run is, and sign the URLs that this step needs."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import stage


def stage_step(event: dict[str, Any]) -> dict[str, Any]:
    """Answer the signed URL of the step's manifest."""
    return stage.step(event, clock.now())


handler = events.handler(stage_step)

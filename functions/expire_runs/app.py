"""Once an hour: delete runs that are older than this installation keeps them."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import expire


def expire_runs(_event: dict[str, Any]) -> dict[str, Any]:
    """Answer how many runs were deleted."""
    return expire.runs(clock.now())


handler = events.handler(expire_runs)

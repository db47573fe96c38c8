"""Once an hour: delete runs that are older than this installation keeps them."""

from typing import Any

from flowserverless import api, expiry, task


def expire_runs(_event: dict[str, Any]) -> dict[str, Any]:
    """Answer how many runs were deleted."""
    return expiry.expire(api.now())


handler = task.handler(expire_runs)

"""After a workflow was published that reads results otherwise: fill its new board and take down the old one."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import rebuild

# Well below the function's timeout: a page that was begun is finished.
SECONDS = 120


def rebuild_ranking(event: dict[str, Any]) -> dict[str, Any]:
    """Go on for a while; answer whether nothing is left that can be done now."""
    return {"done": rebuild.ranking(event["workflow"], clock.now(), SECONDS)}


handler = events.handler(rebuild_ranking)

"""After a deletion: remove a run's objects, or what is left of a group, call by call, until nothing is left."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import delete

# Well below the function's timeout: a batch that was begun is finished.
SECONDS = 120


def remove_files(event: dict[str, Any]) -> dict[str, Any]:
    """Go on for a while; answer whether nothing is left."""
    if "group" in event:
        return {"done": delete.rest_of_group(event["group"], clock.now(), SECONDS)}
    return {"done": delete.files(event["run"], clock.now())}


handler = events.handler(remove_files)

"""After a deletion: remove a run's objects, or what is left of a group, call by call, until nothing is left."""

from typing import Any

from flowserverless import api, deletion, task

# Well below the function's timeout: a batch that was begun is finished.
SECONDS = 120


def remove_files(event: dict[str, Any]) -> dict[str, Any]:
    """Go on for a while; answer whether nothing is left."""
    if "group" in event:
        return {"done": deletion.go_on(event["group"], api.now(), SECONDS)}
    return {"done": deletion.remove_files(event["run"], api.now())}


handler = task.handler(remove_files)

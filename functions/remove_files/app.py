"""After a deletion: remove the run's objects, call by call, until none is left."""

from typing import Any

from flowserverless import api, deletion, task


def remove_files(event: dict[str, Any]) -> dict[str, Any]:
    """Remove some thousand objects; answer whether nothing is left."""
    return {"done": deletion.remove_files(event["run"], api.now())}


handler = task.handler(remove_files)

"""After a run or a deletion: start the workflow's post-processing if the ranking changed since it last ran."""

from typing import Any

from flowserverless import api, postprocessing, task


def post_process(event: dict[str, Any]) -> dict[str, Any]:
    """Answer the id of the post-processing run that was started, or null."""
    run = postprocessing.start_if_owed(event["workflow"], api.now())
    return {"started": run.id if run else None}


handler = task.handler(post_process)

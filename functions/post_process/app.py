"""After a run or a deletion: start the workflow's post-processing if the ranking changed since it last ran."""

from typing import Any

from flowserverless import api, postprocessing, task


def post_process(event: dict[str, Any]) -> dict[str, Any]:
    """Answer the id of the post-processing run that was started, or null; `again` asks for one in any case."""
    start = postprocessing.start_again if event.get("again") else postprocessing.start_if_owed
    run = start(event["workflow"], api.now())
    return {"started": run.id if run else None}


handler = task.handler(post_process)

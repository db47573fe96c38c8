"""After a run or a deletion: start the workflow's post-processing if the ranking changed since it last ran."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import post_process


def start_post_processing(event: dict[str, Any]) -> dict[str, Any]:
    """Answer the id of the post-processing run that was started, or null; `again` asks for one in any case."""
    start = post_process.start_again if event.get("again") else post_process.start_if_owed
    run = start(event["workflow"], clock.now())
    return {"started": run.id if run else None}


handler = events.handler(start_post_processing)

"""Where an external engine executes a run: keep the token by which the execution goes on once results are delivered."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import ingest


def await_results(event: dict[str, Any]) -> dict[str, Any]:
    """Keep the token, and take results that were delivered before there was one."""
    return ingest.wait(event, clock.now())


handler = events.handler(await_results)

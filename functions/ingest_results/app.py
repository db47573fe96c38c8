"""Take the results that an external engine dropped in the inbox of a run, once their marker is there."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import ingest


def ingest_results(event: dict[str, Any]) -> dict[str, Any]:
    """Check and move what was delivered, let the execution go on, and answer the report written beside the marker."""
    return ingest.results(event, clock.now())


handler = events.handler(ingest_results)

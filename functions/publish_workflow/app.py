"""Publish a workflow: a zip that was dropped in the bucket, or one that an invocation names."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import publish


def publish_workflow(event: dict[str, Any]) -> dict[str, Any]:
    """Validate the package, publish it, and answer the report that is also written beside the zip."""
    return publish.workflow(event, clock.now())


handler = events.handler(publish_workflow)

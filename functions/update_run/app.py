"""At the end of a run: its files, archive, metrics, ranking entries and final state, in one moment."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import finish


def update_run(event: dict[str, Any]) -> dict[str, Any]:
    """Publish the run as the outcome of its last step says; answer its state and whether the ranking changed."""
    return finish.run(event, clock.now())


handler = events.handler(update_run)

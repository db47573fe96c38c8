"""Every few minutes, and when an execution fails: bring runs into line with what Step Functions knows."""

from typing import Any

from flowserverless import clock, events
from flowserverless.operations import reconcile


def reconcile_runs(event: dict[str, Any]) -> dict[str, Any]:
    """Reconcile the run that a status-change event names, or everything that is due."""
    return reconcile.runs(event, clock.now())


handler = events.handler(reconcile_runs)

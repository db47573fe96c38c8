"""Executes one step of a run: strangers' code, with no permission on anything but the URLs it was handed."""

import math
import platform
from typing import Any

from runner import outcome, step, transfer

# Time to deliver what there is when a step is stopped because the function itself has not much left.
RESERVE_SECONDS = 20


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Execute the step that the manifest describes; how it went is the answer, never an exception."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    seconds = remaining() / 1000 - RESERVE_SECONDS if remaining else math.inf
    try:
        order = step.fetch_order(event["manifestUrl"])
    except transfer.Refused as refusal:
        return outcome.not_started(f"the manifest of the step could not be read: {refusal}").document()
    return {**step.perform(order, seconds).document(), "python": platform.python_version()}

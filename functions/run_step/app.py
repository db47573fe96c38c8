"""Executes one step of a run: strangers' code, with no permission on anything but the URLs it was handed."""

from __future__ import annotations

import math
from typing import Any

import steps
import transfer

RESERVE_SECONDS = 20


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Execute the step that the manifest describes; how it went is the answer, never an exception."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    seconds = remaining() / 1000 - RESERVE_SECONDS if remaining else math.inf
    try:
        manifest = steps.fetch_manifest(event["manifestUrl"])
    except transfer.Refused as refusal:
        return steps.not_started(f"the manifest of the step could not be read: {refusal}")
    return steps.perform(manifest, seconds).document()

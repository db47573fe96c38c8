"""Cursors of listings: where the next page begins, as a text that callers hand back and need not read."""

import base64
import json
from typing import Any

from flowserverless.domain import errors


def write(position: Any) -> str:
    """A cursor for a JSON position."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def read(text: str | None, *kinds: type) -> list[Any] | None:
    """The position of a cursor, a list of values of `kinds`; None without one.

    Raises InvalidRequest for any text that `write` did not make.
    """
    if text is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        position = None
    fits = isinstance(position, list) and len(position) == len(kinds)
    if not fits or not all(type(value) is kind for value, kind in zip(position, kinds, strict=True)):
        raise errors.InvalidRequest("this cursor is not one that a listing gave", "INVALID_CURSOR")
    return list(position)

"""Cursors of listings: where the next page begins, as a text that callers hand back and need not read."""

import base64
import json
from typing import Any

from flowserverless.domain import errors

# All that cursors hold comes from sort keys, which have at most 1024 bytes with their prefix (WORKFLOW#).
LONGEST = 1015


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
    if not isinstance(position, list) or [type(value) for value in position] != list(kinds) or not _fits(position):
        raise invalid()
    return list(position)


def invalid() -> errors.InvalidRequest:
    """What is said of a text that is no cursor of the listing it is given to."""
    return errors.InvalidRequest("this cursor is not one that a listing gave", "INVALID_CURSOR")


def _fits(position: list[Any]) -> bool:
    return all(
        value.isascii() and len(value) <= LONGEST if isinstance(value, str) else 0 <= value < 2**53
        for value in position
    )

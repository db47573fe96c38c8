"""Cursors of listings: where the next page begins, as a text that callers hand back and need not read."""

import base64
import hashlib
import json
from typing import Any

from flowserverless.domain import errors

# All that cursors hold comes from sort keys, which have at most 1024 bytes with their prefix (WORKFLOW#).
MAX_LENGTH = 1015


def write(listing: str, *position: Any) -> str:
    """A cursor for a JSON position in a listing, which is named as in a URL: `groups/{groupId}/runs`."""
    text = json.dumps([_mark(listing), *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(listing: str, text: str | None, *kinds: type, longest: int = MAX_LENGTH) -> list[Any] | None:
    """The position of a cursor, a list of values of `kinds`, texts of at most `longest` letters; None without one.

    Raises InvalidCursor for any text that `write` did not make for this listing.
    """
    if text is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or found[:1] != [_mark(listing)]:
        raise errors.InvalidCursor
    position = found[1:]
    if [type(value) for value in position] != list(kinds) or not _fits(position, longest):
        raise errors.InvalidCursor
    return position


def read_view(listing: str, view: str, text: str | None, *kinds: type) -> list[Any] | None:
    """The position of a cursor within one view of a listing (an order of a board), whose name it begins with.

    Raises InvalidCursor, and InvalidRequest for a cursor of another view of the same listing.
    """
    position = read(listing, text, str, *kinds)
    if position is None:
        return None
    if position[0] != view:
        detail = "this cursor is of another order, or of a ranking that was built anew; begin again without it"
        raise errors.InvalidRequest(detail, errors.OUTDATED_CURSOR)
    return position[1:]


def _mark(listing: str) -> str:
    # A cursor given to another listing by mistake would silently leave out what comes before it there.
    return hashlib.sha256(listing.encode()).hexdigest()[:8]


def _fits(position: list[Any], longest: int) -> bool:
    return all(
        value.isascii() and len(value) <= longest if isinstance(value, str) else 0 <= value < 2**53
        for value in position
    )

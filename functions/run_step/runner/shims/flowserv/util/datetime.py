"""Timestamps in ISO 8601."""

from __future__ import annotations

import datetime


def to_datetime(timestamp: str) -> datetime.datetime:
    """The moment that a timestamp names; it knows its offset from UTC if the text does."""
    return datetime.datetime.fromisoformat(timestamp[:-1] + "+00:00" if timestamp.endswith("Z") else timestamp)


def utc_now() -> str:
    """This moment in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat()  # noqa: UP017 - older Pythons read this too

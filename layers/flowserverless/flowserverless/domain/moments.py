"""Moments as text: ISO 8601 in UTC with six digits always, so that the order of texts is the order of time.

Inside, a moment is a `datetime` with a zone; it is text in the table, in JSON, and in rank keys. flowServ drops a
fraction that is zero.
"""

from datetime import datetime


def text(moment: datetime) -> str:
    """A moment as it is kept and shown."""
    return moment.isoformat(timespec="microseconds")


def read(written: str) -> datetime:
    """The moment that a text names. Raises ValueError for a text that names none, or one without a zone."""
    moment = datetime.fromisoformat(written)
    if moment.tzinfo is None:
        raise ValueError(f"{written!r} has no zone")
    return moment

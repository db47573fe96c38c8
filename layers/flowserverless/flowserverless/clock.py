"""The present moment and what is made of it: the one place where the clock is read."""

import secrets
import time
from datetime import UTC, datetime

from flowserverless.domain import ids


def now() -> datetime:
    """The present moment in UTC; operations read the clock here and hand it to the domain."""
    return datetime.now(UTC)


def new_ulid() -> str:
    """A fresh ULID."""
    return ids.ulid(time.time_ns() // 1_000_000, secrets.token_bytes(10))

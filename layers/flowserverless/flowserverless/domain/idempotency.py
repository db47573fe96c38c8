"""Idempotency keys: a start that is repeated with the same key answers the run that the first one started."""

import hashlib
from datetime import datetime, timedelta

from flowserverless.domain import errors, frozen, groups, moments

KEPT = timedelta(days=7)


@frozen.dataclass
class Use:
    """A start with an idempotency key: digests of the key and of what was sent with it, and the run, once there is one.

    `expires` is in whole seconds, as DynamoDB wants it.
    """

    group: str
    key: str
    payload: str
    expires: datetime
    run: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it has not expired: DynamoDB removes such an item days later."""
        return self.expires > now


def use(group: groups.Group, key: str, payload: str, now: datetime) -> Use:
    """The use of a key in a group at this moment."""
    # A group that was deleted may have had the same identifier, and other members.
    return Use(
        group=group.id,
        key=_digest(f"{moments.text(group.created_at)} {key}"),
        payload=_digest(payload),
        expires=now.replace(microsecond=0) + KEPT,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def require_same(first: Use, again: Use) -> None:
    """Raise Conflict if something else was sent with the key than the first time."""
    if first.payload != again.payload:
        detail = f"this Idempotency-Key was used for another request, which started run {first.run}"
        raise errors.Conflict(detail, errors.IDEMPOTENCY_KEY_REUSED, run=first.run)

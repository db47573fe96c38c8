"""Ending the sessions of a user: by themselves, an organiser, or what an administrator did to them in Cognito.

And beginning one that was not ended already.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flowserverless import task, user_views, users
from flowserverless.domain import errors, people
from flowserverless.store import signouts, table

# What CloudTrail writes where a value could be somebody's address or telephone number.
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
TRIES = 3
# A second is enough, and another one for clocks that differ.
LONGEST_WAIT_SECONDS = 2
# Tests wait in their own way.
wait: Callable[[float], None] = time.sleep


def log_in(name: str, password: str) -> users.Session:
    """Sign in, for a token that no sign-out of all sessions has ended already. Raises Unauthenticated, Busy.

    In the second of such a sign-out there is none. The password is asked for again after it, because it may be the one
    that was changed.
    """
    for left in reversed(range(TRIES)):
        session = users.log_in(name, password)
        missing = signouts.last_second(session.id) + 1 - session.since
        if missing <= 0:
            return session
        if left:
            wait(min(missing, LONGEST_WAIT_SECONDS))
    raise table.Busy("the sessions of this user are ended at this moment; sign in again in a few seconds")


def revoke(named: str, now: datetime) -> user_views.SignedOut:
    """Refuse all tokens of the user with this id or name until they sign in again. Raises NotFound for no such name."""
    try:
        user = users.lookup(people.name(named))
    except ValueError:
        user = None
    if user is None and not people.is_id(named):
        raise errors.NotFound(f"unknown user '{named[:100]}'", "UNKNOWN_USER")
    signouts.sign_out_everywhere(user.id if user else named.lower(), now)
    return {"id": user.id, "username": user.name} if user else {"id": named.lower()}


def change_password(
    caller: Mapping[str, str], present: str, password: str, clock: Callable[[], datetime]
) -> users.Session:
    """Another password for the caller, whose sessions end but for the one that begins. Raises InvalidRequest."""
    proof = users.change_password(caller["name"], present, password)
    # The clock is read after the change, because until then others could sign in by the old password.
    signouts.sign_out_everywhere(proof.id, max(clock(), datetime.fromtimestamp(proof.since, UTC)))
    return log_in(caller["name"], password)


def heed(record: dict[str, Any]) -> dict[str, Any]:
    """Refuse the tokens of whom a record of CloudTrail is about, which they had when it was written."""
    user = _meant(record)
    if user is None:
        task.logger.error("the record does not say which user was meant", extra={"record": record.get("eventID")})
        return {"user": None}
    signouts.sign_out_everywhere(user, datetime.fromisoformat(record["eventTime"]))
    return {"user": user, "because": record["eventName"]}


def _meant(record: dict[str, Any]) -> str | None:
    """The id of the user: CloudTrail hides names that could be addresses, and says the `sub` beside them."""
    sub = (record.get("additionalEventData") or {}).get("sub")
    if sub:
        return str(sub)
    name = (record.get("requestParameters") or {}).get("username")
    if not name or name == HIDDEN:
        return None
    user = users.lookup(str(name))
    return user.id if user else str(name).lower() if people.is_id(str(name)) else None

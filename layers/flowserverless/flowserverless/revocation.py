"""Ending the sessions of a user: by themselves, an organiser, or what an administrator did to them in Cognito."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flowserverless import task, user_views, users
from flowserverless.domain import errors, people
from flowserverless.store import signouts

# What CloudTrail writes where a value could be somebody's address or telephone number.
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
# Tokens say the second in which their user signed in: all of that second are ended.
SECOND = timedelta(seconds=1)


def revoke(named: str, now: datetime) -> user_views.SignedOut:
    """Refuse all tokens of the user with this id or name until they sign in again. Raises NotFound for no such name."""
    try:
        user = users.lookup(people.name(named))
    except ValueError:
        user = None
    if user is None and not people.is_id(named):
        raise errors.NotFound(f"unknown user '{named[:100]}'", "UNKNOWN_USER")
    end(user.id if user else named.lower(), now)
    return {"id": user.id, "username": user.name} if user else {"id": named.lower()}


def end(user: str, moment: datetime) -> None:
    """Refuse all tokens that a user had at a moment."""
    signouts.sign_out_everywhere(user, moment + SECOND)


def change_password(caller: Mapping[str, str], present: str, password: str) -> users.Session:
    """Another password for the caller, whose sessions end but for the one that begins. Raises InvalidRequest."""
    proof = users.change_password(caller["name"], present, password)
    # The moment is Cognito's, whose clock says when people sign in: the session that begins now is not older than it.
    signouts.sign_out_everywhere(proof.id, datetime.fromtimestamp(proof.since, UTC))
    signouts.sign_out(caller["tokenId"], int(caller["expires"]))
    return users.log_in(caller["name"], password)


def heed(record: dict[str, Any]) -> dict[str, Any]:
    """Refuse the tokens of whom a record of CloudTrail is about, which they had when it was written."""
    user = _meant(record)
    if user is None:
        task.logger.error("the record does not say which user was meant", extra={"record": record.get("eventID")})
        return {"user": None}
    end(user, datetime.fromisoformat(record["eventTime"]))
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

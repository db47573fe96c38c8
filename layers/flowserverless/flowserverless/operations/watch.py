"""Watches what administrators do to users in Cognito: their tokens are refused from then on."""

from datetime import datetime
from typing import Any

from flowserverless import logs
from flowserverless.aws import cognito
from flowserverless.domain.users import is_id
from flowserverless.store import revocations

# What CloudTrail writes where a value could be somebody's address or telephone number.
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def users(record: dict[str, Any]) -> dict[str, Any]:
    """Refuse the tokens of whom a record of CloudTrail is about, which they had when it was written."""
    user = _meant(record)
    if user is None:
        logs.logger.error("the record does not say which user was meant", extra={"record": record.get("eventID")})
        return {"user": None}
    revocations.sign_out_everywhere(user, datetime.fromisoformat(record["eventTime"]))
    return {"user": user, "because": record["eventName"]}


def _meant(record: dict[str, Any]) -> str | None:
    """The id of the user: CloudTrail hides names that could be addresses, and says the `sub` beside them."""
    sub = (record.get("additionalEventData") or {}).get("sub")
    if sub:
        return str(sub)
    name = (record.get("requestParameters") or {}).get("username")
    if not name or name == HIDDEN:
        return None
    user = cognito.lookup(str(name))
    return user.id if user else str(name).lower() if is_id(str(name)) else None

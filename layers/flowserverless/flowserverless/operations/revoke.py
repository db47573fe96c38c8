"""Revokes a user's tokens, as an organiser asks."""

from datetime import datetime

from flowserverless.aws import cognito
from flowserverless.domain import errors, users
from flowserverless.store import revocations


def tokens(named: str, now: datetime) -> tuple[str, str | None]:
    """Refuse all tokens of the user with this id or name until they sign in again; the id, and the name if known.

    Raises NotFound for a name that is nobody's.
    """
    try:
        user = cognito.lookup(users.name(named))
    except ValueError:
        user = None
    if user is None and not users.is_id(named):
        raise errors.NotFound(f"unknown user '{named[:100]}'", errors.UNKNOWN_USER)
    meant = user.id if user else named.lower()
    revocations.sign_out_everywhere(meant, now)
    return meant, user.name if user else None

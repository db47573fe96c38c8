"""Revokes a user's tokens, as an organiser asks."""

from datetime import datetime

from flowserverless.api import handles
from flowserverless.aws import cognito
from flowserverless.domain import errors, users
from flowserverless.store import revocations


def tokens(named: str, now: datetime) -> handles.SignedOut:
    """Refuse all tokens of the user with this id or name until they sign in again. Raises NotFound for no such name."""
    try:
        user = cognito.lookup(users.name(named))
    except ValueError:
        user = None
    if user is None and not users.is_id(named):
        raise errors.NotFound(f"unknown user '{named[:100]}'", "UNKNOWN_USER")
    revocations.sign_out_everywhere(user.id if user else named.lower(), now)
    return {"id": user.id, "username": user.name} if user else {"id": named.lower()}

"""Resets a password by the code that came by e-mail, and ends the user's sessions."""

from flowserverless import clock
from flowserverless.aws import cognito
from flowserverless.domain import users
from flowserverless.store import revocations


def password(named: str, code: str, password: str) -> users.User:
    """Another password for a user by id or name, whose tokens are refused from then on. Raises InvalidRequest."""
    user = cognito.reset_password(named, code, password)
    # The clock is read after the reset, because until then others could sign in by the old password.
    revocations.sign_out_everywhere(user.id, clock.now())
    return user

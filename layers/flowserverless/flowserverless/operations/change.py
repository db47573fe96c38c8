"""Changes the password of a user, and ends their sessions."""

from collections.abc import Callable
from datetime import UTC, datetime

from flowserverless.aws import cognito
from flowserverless.domain import users
from flowserverless.operations import login
from flowserverless.store import revocations


def password(user: str, present: str, password: str, clock: Callable[[], datetime]) -> users.Session:
    """Another password for the user of this name; all sessions end, and one begins. Raises InvalidRequest."""
    proof = cognito.change_password(user, present, password)
    # The clock is read after the change, because until then others could sign in by the old password.
    revocations.sign_out_everywhere(proof.id, max(clock(), datetime.fromtimestamp(proof.since, UTC)))
    return login.user(user, password)

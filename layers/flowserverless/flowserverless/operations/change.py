"""Changes the password of a user, and ends their sessions."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from flowserverless.aws import cognito
from flowserverless.operations import login
from flowserverless.store import revocations


def password(caller: Mapping[str, str], present: str, password: str, clock: Callable[[], datetime]) -> cognito.Session:
    """Another password for the caller, whose sessions end but for the one that begins. Raises InvalidRequest."""
    proof = cognito.change_password(caller["name"], present, password)
    # The clock is read after the change, because until then others could sign in by the old password.
    revocations.sign_out_everywhere(proof.id, max(clock(), datetime.fromtimestamp(proof.since, UTC)))
    return login.user(caller["name"], password)

"""Signs a user in, for a token that no sign-out of all sessions has ended already."""

import time
from collections.abc import Callable

from flowserverless.aws import cognito
from flowserverless.domain import users
from flowserverless.store import revocations, transactions

TRIES = 3
# A second is enough, and another one for clocks that differ.
MAX_WAIT_SECONDS = 2
# Tests wait in their own way.
wait: Callable[[float], None] = time.sleep


def user(name: str, password: str) -> users.Session:
    """Sign in, for a token that no sign-out of all sessions has ended already. Raises Unauthenticated, Busy.

    In the second of such a sign-out there is none. The password is asked for again after it, because it may be the one
    that was changed.
    """
    for left in reversed(range(TRIES)):
        session = cognito.log_in(name, password)
        missing = revocations.last_second(session.id) + 1 - session.since
        if missing <= 0:
            return session
        if left:
            wait(min(missing, MAX_WAIT_SECONDS))
    raise transactions.Busy("the sessions of this user are ended at this moment; sign in again in a few seconds")

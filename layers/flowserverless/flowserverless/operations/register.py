"""Registers a user: the name is theirs alone, and kept for those who have been sent a code."""

from datetime import datetime, timedelta

from flowserverless.aws import cognito
from flowserverless.domain import errors, users
from flowserverless.store import usernames

# As long as a code can be used (Cognito: a day) the name is kept for who is to send it back.
CODE_LIFE = timedelta(days=1)
# How many addresses may be tried for a name meanwhile, by people who mistyped theirs.
MAX_ADDRESSES = 5


def user(name: str, password: str, email: str | None, by_code: bool, now: datetime) -> users.User:
    """Add a user, who becomes active by the code that Cognito sends to `email`, or at once.

    Raises Conflict when the name, or one that looks like it, is taken; InvalidRequest when Cognito does not take one
    of the values.
    """
    before = usernames.holder(name)
    tried = _make_room(before.name, email, usernames.tried(before), now) if before else []
    try:
        added = cognito.sign_up(name, password, email)
    except errors.Conflict:
        # Of a user whom this table does not know, nobody knows which addresses were tried.
        _make_room(name, None, [], now)
        added = cognito.sign_up(name, password, email)
    tried = [*tried, *([usernames.digest(email)] if email else [])]
    if not usernames.take(name, added.id, tried, now, before):
        there = cognito.lookup(name)
        if there and there.id == added.id:
            cognito.delete(name)
        raise users.taken(name)
    if not (added.active or by_code):
        cognito.confirm(name)
    return users.User(added.id, name, added.active or not by_code)


def _make_room(name: str, email: str | None, tried: list[str], now: datetime) -> list[str]:
    """Remove who registered as `name` and was never activated; the addresses that count as tried afterwards.

    At once for another address, because people mistype theirs; for the same or none only when its code has expired:
    who gets a code activates what they registered, with their own password.
    """
    there = cognito.lookup(name)
    if there is None:
        return []
    if there.waits_since is None:
        raise users.taken(name)
    expired = now - there.waits_since > CODE_LIFE
    mistyped = email is not None and usernames.digest(email) not in tried and 0 < len(tried) < MAX_ADDRESSES
    if not (expired or mistyped):
        detail = f"the user name '{name}' waits for the code that was sent by e-mail, which can be sent again"
        raise errors.Conflict(f"{detail}; without it the name is free a day after it was registered", errors.NAME_TAKEN)
    cognito.delete(there.name)
    return [] if expired else tried

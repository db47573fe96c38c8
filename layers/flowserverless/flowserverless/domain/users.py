"""Users: who calls, who is registered, who signed in; what their names and ids look like."""

import re
import unicodedata
from datetime import datetime

from flowserverless.domain import errors, frozen, groups, names


@frozen.dataclass
class Caller:
    """Whom the authorizer recognised; user '' is a stranger, and `problem` says why."""

    user: str
    name: str
    organiser: bool
    problem: str = ""

    def acting(self, group_id: str) -> groups.Membership | None:
        """What has to be there still when something is written that the caller asks for: their membership.

        None for organisers, who need none.
        """
        return None if self.organiser else groups.Membership(group_id, self.user)


@frozen.dataclass
class User:
    """A user; `active` when nothing but the password stands between them and signing in.

    `waits_since` is when somebody registered who has not sent the code back.
    """

    id: str
    name: str
    active: bool
    waits_since: datetime | None = None


@frozen.dataclass
class Session:
    """A user who signed in: the access token, and the Unix times at which it ends and of signing in."""

    id: str
    name: str
    token: str
    expires: int
    since: int


def needs_code(mode: str, email: str | None, verify: bool | None) -> bool:
    """Whether a new user becomes active only by a code sent to `email`; `mode` is open, verified or closed.

    Raises Forbidden where nobody may register, InvalidRequest where an address is missing.
    """
    if mode == "closed":
        raise closed()
    if mode == "verified" and not email:
        raise errors.InvalidRequest("registration needs an e-mail address here: 'email'", errors.EMAIL_NEEDED)
    return bool(email) and (mode == "verified" or verify is not False)


def closed() -> errors.Problem:
    return errors.Forbidden("registration is closed here; ask an organiser", errors.REGISTRATION_CLOSED)


def taken(name: str) -> errors.Problem:
    return errors.Conflict(f"the user name '{name}', or one that looks like it, is taken", errors.NAME_TAKEN)


MAX_NAME_LENGTH = 128
# The `sub` that Cognito gives to a user: a UUID.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_id(text: str) -> bool:
    """Whether `text` is a user's id. No name looks like one, so naming a user by either is unambiguous."""
    return _ID.fullmatch(text) is not None


def name(text: str) -> str:
    """The name of a user in Unicode's normal form C, so that typed on any machine it is the same name.

    Raises ValueError unless it has 1 to 128 printable characters and no blanks: Cognito takes letters, marks,
    symbols, numbers and punctuation.
    """
    normal = unicodedata.normalize("NFC", text)
    if not 1 <= len(normal) <= MAX_NAME_LENGTH or not normal.isprintable() or " " in normal:
        raise ValueError("a user name has 1 to 128 printable characters and no blanks")
    return normal


def new_name(text: str) -> str:
    """As `name`, for somebody who registers: seen by all, and not what another's id or an address looks like."""
    normal = names.check(name(text))
    seen = names.skeleton(normal)
    if re.fullmatch(".+@.+", seen):
        raise ValueError("a user name is shown to every user, so it cannot be an e-mail address")
    if is_id(seen):
        raise ValueError("a user name cannot look like the id of a user")
    return normal

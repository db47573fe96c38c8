"""What people are shown of users: flowServ's JSON, never anybody's token but their own when they sign in."""

from datetime import UTC, datetime
from typing import NotRequired

from typing_extensions import TypedDict

from flowserverless import users
from flowserverless.domain import runs


class UserHandle(TypedDict):
    """A user."""

    id: str
    username: str


class UserListing(TypedDict):
    """Users in no particular order; a page may be short, `next` says whether there are more."""

    users: list[UserHandle]
    next: NotRequired[str]


class NewUser(UserHandle):
    """A user who registered; `active` once nothing stands between them and signing in.

    `warnings` say what will not be possible.
    """

    active: bool
    warnings: NotRequired[list[str]]


class Session(UserHandle):
    """Who signed in, and the token that proves it until it expires."""

    token: str
    expiresAt: str


def session(given: users.Session) -> Session:
    """Who signed in."""
    expires = runs.timestamp(datetime.fromtimestamp(given.expires, UTC))
    return {"id": given.id, "username": given.name, "token": given.token, "expiresAt": expires}


class SignedOut(TypedDict):
    """Who signed out; nobody when the token had been signed out before."""

    id: NotRequired[str]
    username: NotRequired[str]


class ResetRequest(TypedDict):
    """What to send back with the code from the e-mail."""

    requestId: str


class Me(UserHandle):
    """Who is calling, and as what beside a user."""

    roles: list[str]


def new_user(user: users.User, email: str | None) -> NewUser:
    """Who registered; with a warning where no code can ever be sent for another password."""
    shown: NewUser = {"id": user.id, "username": user.name, "active": user.active}
    if not user.active:
        return shown
    why = "the e-mail address was not verified" if email else "without an e-mail address"
    return {**shown, "warnings": [f"{why}{', so' if email else ''} a forgotten password cannot be reset"]}

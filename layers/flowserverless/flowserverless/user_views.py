"""What people are shown of users: flowServ's JSON, never anybody's token but their own when they sign in."""

from typing import NotRequired

from typing_extensions import TypedDict


class UserHandle(TypedDict):
    """A user."""

    id: str
    username: str


class UserListing(TypedDict):
    """Users in no particular order; a page may be short, `next` says whether there are more."""

    users: list[UserHandle]
    next: NotRequired[str]


class NewUser(UserHandle):
    """A user who registered; `active` once nothing stands between them and signing in."""

    active: bool


class Session(UserHandle):
    """Who signed in, and the token that proves it until it expires."""

    token: str
    expiresAt: str


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

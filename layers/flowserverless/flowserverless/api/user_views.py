"""Makes the JSON that people are shown of users and their sessions."""

from collections.abc import Sequence
from datetime import UTC, datetime

from flowserverless.api import cursors, handles
from flowserverless.domain import errors, moments, users

LISTING = "users"
# Cognito says nowhere how long its own tokens may get; the operation takes cursors in which this fits.
MAX_TOKEN_LENGTH = 4000


def session(given: users.Session) -> handles.Session:
    """Who signed in."""
    expires = moments.text(datetime.fromtimestamp(given.expires, UTC))
    return {"id": given.id, "username": given.name, "token": given.token, "expiresAt": expires}


def signed_out(user: str, name: str | None) -> handles.SignedOut:
    """Whose tokens are refused from now on."""
    return {"id": user, "username": name} if name else {"id": user}


def new_user(user: users.User, email: str | None) -> handles.NewUser:
    """Who registered; with a warning where no code can ever be sent for another password."""
    shown: handles.NewUser = {"id": user.id, "username": user.name, "active": user.active}
    if not user.active:
        return shown
    why = "the e-mail address was not verified" if email else "without an e-mail address"
    return {**shown, "warnings": [f"{why}{', so' if email else ''} a forgotten password cannot be reset"]}


def after(at: str | None) -> str | None:
    """Cognito's own token of where a page of users begins."""
    position = cursors.read(LISTING, at, str, longest=MAX_TOKEN_LENGTH)
    if position == [""]:
        raise errors.InvalidCursor
    return position[0] if position else None


def page(found: Sequence[users.User], following: str | None) -> handles.UserListing:
    """A page of users, and the cursor of what follows."""
    shown: handles.UserListing = {"users": [{"id": user.id, "username": user.name} for user in found]}
    return {**shown, "next": cursors.write(LISTING, following)} if following else shown

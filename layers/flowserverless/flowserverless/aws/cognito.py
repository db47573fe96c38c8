"""Users, as Amazon Cognito keeps them: every call to it, and what its refusals mean to people."""

import base64
import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore import exceptions

from flowserverless import settings
from flowserverless.api import cursors
from flowserverless.aws import clients
from flowserverless.domain import errors, users
from flowserverless.store import usernames

# As long as a code can be used (Cognito: a day) the name is kept for who is to send it back.
CODE_LIFE = timedelta(days=1)
# How many addresses may be tried for a name meanwhile, by people who mistyped theirs.
MAX_ADDRESSES = 5
MAX_PER_CALL = 60
# Clients of flowServ know of no pages: as many calls as 1000 users and half as many who are not active need.
MAX_CALLS = 25
LISTING = "users"
# Cognito says nowhere how long its own cursors may get; the operation takes cursors in which this fits.
MAX_TOKEN_LENGTH = 4000
LIMITS = ("TooManyRequestsException", "LimitExceededException", "TooManyFailedAttemptsException")
CODE_REFUSALS = (
    "CodeMismatchException",
    "ExpiredCodeException",
    "UserNotFoundException",
    "NotAuthorizedException",
    "InvalidParameterException",
    "AliasExistsException",
    "LimitExceededException",
    "TooManyFailedAttemptsException",
)
# Why no code is sent: no such user, no verified address, user not active, or one was sent a moment ago.
NO_CODE_SENT = (
    "UserNotFoundException",
    "InvalidParameterException",
    "NotAuthorizedException",
    "LimitExceededException",
    "CodeDeliveryFailureException",
)
CURSOR_REFUSALS = ("InvalidParameterException", "InvalidPaginationTokenException", "InvalidToken")


@dataclass(frozen=True)
class User:
    """A user; `active` when nothing but the password stands between them and signing in.

    `waits_since` is when somebody registered who has not sent the code back.
    """

    id: str
    name: str
    active: bool
    waits_since: datetime | None = None


@dataclass(frozen=True)
class Session:
    """A user who signed in: the access token, and the Unix times at which it ends and of signing in."""

    id: str
    name: str
    token: str
    expires: int
    since: int


def _client() -> Any:
    return clients.client("cognito-idp")


def _pool() -> str:
    return settings.current().user_pool_id


def _app() -> str:
    return settings.current().user_pool_client_id


@contextlib.contextmanager
def _refusals(known: Mapping[str, errors.Problem]) -> Iterator[None]:
    """Turn the errors of Cognito in `known` into these refusals; to be asked too often is one everywhere."""
    try:
        yield
    except exceptions.ClientError as error:
        busy = errors.OverQuota("too many attempts; try again later", "TOO_MANY_ATTEMPTS")
        refusal = {**dict.fromkeys(LIMITS, busy), **known}.get(clients.error_code(error))
        if refusal is None:
            raise
        raise refusal from error


def _user(described: Mapping[str, Any], attributes: str) -> User:
    """A user as ListUsers (`attributes` is Attributes) or AdminGetUser (UserAttributes) describes them."""
    sub = next(item["Value"] for item in described[attributes] if item["Name"] == "sub")
    waits = described["UserStatus"] == "UNCONFIRMED"
    active = described["Enabled"] and not waits
    return User(sub, described["Username"], active, described["UserCreateDate"] if waits else None)


def lookup(named: str) -> User | None:
    """The user with this id or name, if there is one."""
    client = _client()
    with _refusals({}):
        if users.is_id(named):
            # Never as a name, although somebody may be called so whom this service did not register.
            found = client.list_users(UserPoolId=_pool(), Filter=f'sub = "{named.lower()}"', Limit=1)["Users"]
            return _user(found[0], "Attributes") if found else None
        try:
            return _user(client.admin_get_user(UserPoolId=_pool(), Username=named), "UserAttributes")
        except (client.exceptions.UserNotFoundException, client.exceptions.InvalidParameterException):
            return None


def may_act(user: str, name: str) -> bool:
    """Whether the tokens of this user mean anything: there is one, not another of that name, nor disabled or reset."""
    client = _client()
    try:
        described = client.admin_get_user(UserPoolId=_pool(), Username=name)
    except client.exceptions.UserNotFoundException:
        return False
    same = _user(described, "UserAttributes").id == user
    return bool(same and described["Enabled"] and described["UserStatus"] != "RESET_REQUIRED")


def roles(name: str) -> frozenset[str]:
    """The groups of the user pool that the user is in now."""
    pages = _client().get_paginator("admin_list_groups_for_user").paginate(UserPoolId=_pool(), Username=name)
    return frozenset(group["GroupName"] for page in pages for group in page["Groups"])


def find(named: Iterable[str]) -> dict[str, str]:
    """Users by id or name, as {id: name}. Raises InvalidRequest with all names that are of no active user."""
    found, unknown = {}, []
    for one in dict.fromkeys(named):
        try:
            user = lookup(users.name(one))
        except ValueError:
            user = None
        if user and user.active:
            found[user.id] = user.name
        else:
            unknown.append(f"'{one[:100]}'")
    if unknown:
        raise errors.InvalidRequest(f"unknown users: {', '.join(unknown)}"[:2000], "UNKNOWN_USER")
    return found


def search(prefix: str, limit: int, at: str | None) -> tuple[list[User], str | None]:
    """Active users whose name begins with `prefix`, and the cursor of what follows; a page may be short."""
    # How a quotation mark or a backslash is written in a filter is not documented: the filter ends before it.
    asked = prefix.split('"')[0].split("\\")[0]
    query = {"Filter": f'username ^= "{asked}"'} if asked else {}
    token = (cursors.read(LISTING, at, str, longest=MAX_TOKEN_LENGTH) or [None])[0]
    if token == "":
        raise cursors.invalid()
    found: list[User] = []
    for _ in range(MAX_CALLS):
        page = {"PaginationToken": token} if token else {}
        size = min(MAX_PER_CALL, limit - len(found))
        try:
            with _refusals(_search_refusals(prefix, token)):
                answer = _client().list_users(UserPoolId=_pool(), Limit=size, **query, **page)
        except errors.OverQuota:
            if found:
                # The rest is asked for with the next page.
                break
            raise
        users = (_user(described, "Attributes") for described in answer["Users"])
        found += [user for user in users if user.active and user.name.startswith(prefix)]
        token = answer.get("PaginationToken")
        if not token or len(found) >= limit:
            break
    return found, cursors.write(LISTING, token) if token else None


def _search_refusals(prefix: str, token: str | None) -> dict[str, errors.Problem]:
    # Cognito has no name of its own for a cursor that it never gave, or gave for another prefix.
    if token:
        return dict.fromkeys(CURSOR_REFUSALS, cursors.invalid())
    nameless = errors.InvalidRequest(f"no user name begins with '{prefix[:100]}'")
    return {"InvalidParameterException": nameless}


def _weak() -> errors.Problem:
    return errors.InvalidRequest("the password needs at least 8 characters", "WEAK_PASSWORD")


def register(name: str, password: str, email: str | None, by_code: bool, now: datetime) -> User:
    """Add a user, who becomes active by the code that Cognito sends to `email`, or at once.

    Raises Conflict when the name, or one that looks like it, is taken; InvalidRequest when Cognito does not take one
    of the values.
    """
    before = usernames.holder(name)
    tried = _make_room(before.name, email, usernames.tried(before), now) if before else []
    try:
        answer = _sign_up(name, password, email)
    except errors.Conflict:
        # Of a user whom this table does not know, nobody knows which addresses were tried.
        _make_room(name, None, [], now)
        answer = _sign_up(name, password, email)
    tried = [*tried, *([usernames.digest(email)] if email else [])]
    if not usernames.take(name, answer["UserSub"], tried, now, before):
        there = lookup(name)
        if there and there.id == answer["UserSub"]:
            delete(name)
        raise _taken(name)
    active = answer["UserConfirmed"]
    if not (active or by_code):
        with _refusals({}):
            _client().admin_confirm_sign_up(UserPoolId=_pool(), Username=name)
    return User(answer["UserSub"], name, active or not by_code)


def _taken(name: str) -> errors.Problem:
    return errors.Conflict(f"the user name '{name}', or one that looks like it, is taken", "NAME_TAKEN")


def _make_room(name: str, email: str | None, tried: list[str], now: datetime) -> list[str]:
    """Remove who registered as `name` and was never activated; the addresses that count as tried afterwards.

    At once for another address, because people mistype theirs; for the same or none only when its code has expired:
    who gets a code activates what they registered, with their own password.
    """
    there = lookup(name)
    if there is None:
        return []
    if there.waits_since is None:
        raise _taken(name)
    expired = now - there.waits_since > CODE_LIFE
    mistyped = email is not None and usernames.digest(email) not in tried and 0 < len(tried) < MAX_ADDRESSES
    if not (expired or mistyped):
        detail = f"the user name '{name}' waits for the code that was sent by e-mail, which can be sent again"
        raise errors.Conflict(f"{detail}; without it the name is free a day after it was registered", "NAME_TAKEN")
    delete(there.name)
    return [] if expired else tried


def _sign_up(name: str, password: str, email: str | None) -> dict[str, Any]:
    attributes = [{"Name": "email", "Value": email}] if email else []
    impossible = "this user name, password or e-mail address cannot be used"
    refusals = {
        "UsernameExistsException": _taken(name),
        "InvalidPasswordException": _weak(),
        "InvalidParameterException": errors.InvalidRequest(impossible),
        "CodeDeliveryFailureException": errors.InvalidRequest("no e-mail can be sent to this address"),
        # A pool in which only administrators create users answers this.
        "NotAuthorizedException": users.closed(),
    }
    with _refusals(refusals):
        answer: dict[str, Any] = _client().sign_up(
            ClientId=_app(), Username=name, Password=password, UserAttributes=attributes
        )
    return answer


def _wrong_code() -> errors.Problem:
    return errors.InvalidRequest("the code is wrong, has expired, or was tried too often", "INVALID_CODE")


def _code_refusals() -> dict[str, errors.Problem]:
    # One answer for everything, unknown users too: trying codes teaches nothing about users.
    return {code: _wrong_code() for code in CODE_REFUSALS}


def _known(named: str) -> User:
    user = lookup(named)
    if user is None:
        raise _wrong_code()
    return user


def request_activation(named: str) -> None:
    """Let Cognito send the code once more that makes a registered user active; whether somebody waits is not told."""
    user = lookup(named) if users.is_id(named) else None
    if users.is_id(named) and user is None:
        return
    with _refusals({}):
        try:
            _client().resend_confirmation_code(ClientId=_app(), Username=user.name if user else named)
        except exceptions.ClientError as error:
            if clients.error_code(error) not in NO_CODE_SENT:
                raise


def activate(named: str, code: str) -> User:
    """Make the user with this id or name active. Raises InvalidRequest unless the code is what they were sent."""
    user = _known(named)
    with _refusals(_code_refusals()):
        _client().confirm_sign_up(ClientId=_app(), Username=user.name, ConfirmationCode=code)
    return user


def log_in(name: str, password: str) -> Session:
    """Sign in. Raises Unauthenticated, the same for a wrong password and for an unknown name."""
    wrong = errors.Unauthenticated("user name or password is wrong", "WRONG_CREDENTIALS")
    refusals: dict[str, errors.Problem] = {
        "NotAuthorizedException": wrong,
        "UserNotFoundException": wrong,
        "InvalidParameterException": wrong,
        "UserNotConfirmedException": errors.Unauthenticated(
            "this user is not active yet; a code was sent by e-mail", "NOT_ACTIVE"
        ),
        "PasswordResetRequiredException": errors.Unauthenticated(
            "this user has to reset the password first", "PASSWORD_RESET_REQUIRED"
        ),
    }
    with _refusals(refusals):
        given = _authenticate(name, password)
    return _session(given)


def _authenticate(name: str, password: str) -> dict[str, Any]:
    """Cognito's tokens for a name and a password."""
    answer = _client().initiate_auth(
        ClientId=_app(), AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": name, "PASSWORD": password}
    )
    if "AuthenticationResult" not in answer:
        detail = "this password is temporary; an organiser has to set a lasting one"
        raise errors.Unauthenticated(detail, "PASSWORD_CHANGE_REQUIRED")
    given: dict[str, Any] = answer["AuthenticationResult"]
    return given


def _session(given: Mapping[str, Any]) -> Session:
    """What the caller gets of Cognito's tokens.

    The token opens this service and nothing else: revoked, it still proves who signed in, but Cognito takes
    it no longer, so a thief cannot change the user's address there and with it the password.
    """
    with _refusals({}):
        _client().revoke_token(ClientId=_app(), Token=given["RefreshToken"])
    claims = _claims(given["AccessToken"])
    since = claims.get("auth_time", claims["iat"])
    return Session(claims["sub"], claims["username"], given["AccessToken"], claims["exp"], since)


def _wrong_password() -> dict[str, errors.Problem]:
    # To a caller with a good token this is no 401: clients would forget the token.
    wrong = errors.InvalidRequest("the present password is wrong", "WRONG_PASSWORD")
    names = ("NotAuthorizedException", "UserNotFoundException", "PasswordResetRequiredException")
    return dict.fromkeys((*names, "InvalidParameterException"), wrong)


def prove(name: str, password: str) -> None:
    """Raises InvalidRequest unless this is the user's password."""
    with _refusals(_wrong_password()):
        given = _authenticate(name, password)
    _session(given)


def change_password(name: str, present: str, password: str) -> Session:
    """Another password for a user who knows the present one; the session that proved it, which is nobody's to use.

    Raises InvalidRequest.
    """
    with _refusals(_wrong_password()):
        given = _authenticate(name, present)
    weak = dict.fromkeys(("InvalidPasswordException", "InvalidParameterException"), _weak())
    try:
        with _refusals({**_wrong_password(), **weak}):
            _client().change_password(
                AccessToken=given["AccessToken"], PreviousPassword=present, ProposedPassword=password
            )
    finally:
        session = _session(given)
    return session


def delete(name: str) -> None:
    """Delete a user's account, if there still is one."""
    client = _client()
    with _refusals({}), contextlib.suppress(client.exceptions.UserNotFoundException):
        client.admin_delete_user(UserPoolId=_pool(), Username=name)


def _claims(token: str) -> dict[str, Any]:
    # It comes straight from Cognito, so there is nothing to verify.
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def request_password_reset(name: str) -> None:
    """Let Cognito send a code to the user's verified address; whether there is one is not told."""
    with _refusals({}):
        try:
            _client().forgot_password(ClientId=_app(), Username=name)
        except exceptions.ClientError as error:
            if clients.error_code(error) not in NO_CODE_SENT:
                raise


def reset_password(named: str, code: str, password: str) -> User:
    """Set a new password. Raises InvalidRequest unless the code is the one that the user was sent."""
    user = _known(named)
    with _refusals({**_code_refusals(), "InvalidPasswordException": _weak()}):
        _client().confirm_forgot_password(ClientId=_app(), Username=user.name, ConfirmationCode=code, Password=password)
    return user

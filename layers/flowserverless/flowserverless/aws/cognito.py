"""Users in Amazon Cognito: every call to it, and what its refusals mean to people."""

import base64
import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from botocore import exceptions

from flowserverless import settings
from flowserverless.aws import clients
from flowserverless.domain import errors, users

MAX_PER_CALL = 60
# Clients of flowServ know of no pages: as many calls as 1000 users and half as many who are not active need.
MAX_CALLS = 25
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
        busy = errors.OverQuota("too many attempts; try again later", errors.TOO_MANY_ATTEMPTS)
        refusal = {**dict.fromkeys(LIMITS, busy), **known}.get(clients.error_code(error))
        if refusal is None:
            raise
        raise refusal from error


def _user(described: Mapping[str, Any], attributes: str) -> users.User:
    """A user as ListUsers (`attributes` is Attributes) or AdminGetUser (UserAttributes) describes them."""
    sub = next(item["Value"] for item in described[attributes] if item["Name"] == "sub")
    waits = described["UserStatus"] == "UNCONFIRMED"
    active = described["Enabled"] and not waits
    return users.User(sub, described["Username"], active, described["UserCreateDate"] if waits else None)


def lookup(named: str) -> users.User | None:
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
        raise errors.InvalidRequest(f"unknown users: {', '.join(unknown)}"[:2000], errors.UNKNOWN_USER)
    return found


def search(prefix: str, limit: int, token: str | None) -> tuple[list[users.User], str | None]:
    """Active users whose name begins with `prefix`, and the token of what follows; a page may be short."""
    # How a quotation mark or a backslash is written in a filter is not documented: the filter ends before it.
    asked = prefix.split('"')[0].split("\\")[0]
    query = {"Filter": f'username ^= "{asked}"'} if asked else {}
    found: list[users.User] = []
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
        described = (_user(each, "Attributes") for each in answer["Users"])
        found += [user for user in described if user.active and user.name.startswith(prefix)]
        token = answer.get("PaginationToken")
        if not token or len(found) >= limit:
            break
    return found, token or None


def _search_refusals(prefix: str, token: str | None) -> dict[str, errors.Problem]:
    # Cognito has no name of its own for a cursor that it never gave, or gave for another prefix.
    if token:
        return dict.fromkeys(CURSOR_REFUSALS, errors.InvalidCursor())
    nameless = errors.InvalidRequest(f"no user name begins with '{prefix[:100]}'")
    return {"InvalidParameterException": nameless}


def _weak() -> errors.Problem:
    return errors.InvalidRequest("the password needs at least 8 characters", errors.WEAK_PASSWORD)


def sign_up(name: str, password: str, email: str | None) -> users.User:
    """Add a user, to whom Cognito sends a code at `email`; active where Cognito asks for none.

    Raises Conflict when the name is taken, InvalidRequest when Cognito does not take one of the values.
    """
    attributes = [{"Name": "email", "Value": email}] if email else []
    impossible = "this user name, password or e-mail address cannot be used"
    refusals = {
        "UsernameExistsException": users.taken(name),
        "InvalidPasswordException": _weak(),
        "InvalidParameterException": errors.InvalidRequest(impossible),
        "CodeDeliveryFailureException": errors.InvalidRequest("no e-mail can be sent to this address"),
        # A pool in which only administrators create users answers this.
        "NotAuthorizedException": users.closed(),
    }
    with _refusals(refusals):
        answer = _client().sign_up(ClientId=_app(), Username=name, Password=password, UserAttributes=attributes)
    return users.User(answer["UserSub"], name, answer["UserConfirmed"])


def confirm(name: str) -> None:
    """Make a user who signed up active without a code."""
    with _refusals({}):
        _client().admin_confirm_sign_up(UserPoolId=_pool(), Username=name)


def _wrong_code() -> errors.Problem:
    return errors.InvalidRequest("the code is wrong, has expired, or was tried too often", errors.INVALID_CODE)


def _code_refusals() -> dict[str, errors.Problem]:
    # One answer for everything, unknown users too: trying codes teaches nothing about users.
    return {code: _wrong_code() for code in CODE_REFUSALS}


def _known(named: str) -> users.User:
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


def activate(named: str, code: str) -> users.User:
    """Make the user with this id or name active. Raises InvalidRequest unless the code is what they were sent."""
    user = _known(named)
    with _refusals(_code_refusals()):
        _client().confirm_sign_up(ClientId=_app(), Username=user.name, ConfirmationCode=code)
    return user


def log_in(name: str, password: str) -> users.Session:
    """Sign in. Raises Unauthenticated, the same for a wrong password and for an unknown name."""
    wrong = errors.Unauthenticated("user name or password is wrong", errors.WRONG_CREDENTIALS)
    refusals: dict[str, errors.Problem] = {
        "NotAuthorizedException": wrong,
        "UserNotFoundException": wrong,
        "InvalidParameterException": wrong,
        "UserNotConfirmedException": errors.Unauthenticated(
            "this user is not active yet; a code was sent by e-mail", errors.NOT_ACTIVE
        ),
        "PasswordResetRequiredException": errors.Unauthenticated(
            "this user has to reset the password first", errors.PASSWORD_RESET_REQUIRED
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
        raise errors.Unauthenticated(detail, errors.PASSWORD_CHANGE_REQUIRED)
    given: dict[str, Any] = answer["AuthenticationResult"]
    return given


def _session(given: Mapping[str, Any]) -> users.Session:
    """What the caller gets of Cognito's tokens.

    The token opens this service and nothing else: revoked, it still proves who signed in, but Cognito takes
    it no longer, so a thief cannot change the user's address there and with it the password.
    """
    with _refusals({}):
        _client().revoke_token(ClientId=_app(), Token=given["RefreshToken"])
    claims = _claims(given["AccessToken"])
    since = claims.get("auth_time", claims["iat"])
    return users.Session(claims["sub"], claims["username"], given["AccessToken"], claims["exp"], since)


def _wrong_password() -> dict[str, errors.Problem]:
    # To a caller with a good token this is no 401: clients would forget the token.
    wrong = errors.InvalidRequest("the present password is wrong", errors.WRONG_PASSWORD)
    names = ("NotAuthorizedException", "UserNotFoundException", "PasswordResetRequiredException")
    return dict.fromkeys((*names, "InvalidParameterException"), wrong)


def prove(name: str, password: str) -> None:
    """Raises InvalidRequest unless this is the user's password."""
    with _refusals(_wrong_password()):
        given = _authenticate(name, password)
    _session(given)


def change_password(name: str, present: str, password: str) -> users.Session:
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


def reset_password(named: str, code: str, password: str) -> users.User:
    """Set a new password. Raises InvalidRequest unless the code is the one that the user was sent."""
    user = _known(named)
    with _refusals({**_code_refusals(), "InvalidPasswordException": _weak()}):
        _client().confirm_forgot_password(ClientId=_app(), Username=user.name, ConfirmationCode=code, Password=password)
    return user

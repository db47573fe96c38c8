"""Registering, signing in and out, and passwords, on a user pool as the template declares it."""

import base64
import contextlib
import json
import time
import types
from datetime import UTC, datetime, timedelta

import pytest
from botocore import awsrequest
from moto.cognitoidp import models

from flowserverless import clock
from flowserverless.api import cursors, listings
from flowserverless.aws import clients, cognito
from flowserverless.domain import errors
from flowserverless.operations import leave, login
from flowserverless.operations import register as registering
from flowserverless.store import group_items, revocations, workflow_items
from flowserverless.store import table as stored
from local import emulator, template
from support import aws_clients, gateway, iam, packages, scenario

PASSWORD = "correct horse"
STRANGER = "0ada0000-0000-4000-8000-00000000ffff"


@pytest.fixture
def waits(monkeypatch):
    """How long was waited for: nobody sleeps, but the clocks of Cognito and the operations are ahead by as much."""
    seen = []
    monkeypatch.setattr(login, "wait", seen.append)
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(seconds=sum(seen)))
    monkeypatch.setattr(models, "time", types.SimpleNamespace(time=lambda: time.time() + sum(seen)))
    return seen


@pytest.fixture
def user_pool_calls(table, cognito_calls, waits, monkeypatch):
    """An empty user pool: its client, the `calls` that moto does not know, and `failing` to let an operation fail."""
    (declared,) = template.resources("AWS::Cognito::UserPool").values()
    (app,) = template.resources("AWS::Cognito::UserPoolClient").values()
    accepted = ("Policies", "AutoVerifiedAttributes", "UsernameConfiguration", "AccountRecoverySetting")
    client = clients.client("cognito-idp")
    prefix = "before-call.cognito-identity-provider"
    settings = {name: declared[name] for name in accepted}
    pool = client.create_user_pool(PoolName="users", **settings)["UserPool"]["Id"]
    created = client.create_user_pool_client(
        UserPoolId=pool, ClientName="api", ExplicitAuthFlows=app["ExplicitAuthFlows"]
    )
    monkeypatch.setenv("USER_POOL_ID", pool)
    monkeypatch.setenv("USER_POOL_CLIENT_ID", created["UserPoolClient"]["ClientId"])
    monkeypatch.setenv("SELF_REGISTRATION", "open")

    @contextlib.contextmanager
    def failing(operation, code):
        error = {"Error": {"Code": code, "Message": "because"}, "ResponseMetadata": {"HTTPStatusCode": 400}}

        def answer(**_):
            return awsrequest.AWSResponse("", 400, {}, None), error

        client.meta.events.register_first(f"{prefix}.{operation}", answer)
        try:
            yield
        finally:
            client.meta.events.unregister(f"{prefix}.{operation}", answer)

    return types.SimpleNamespace(client=client, pool=pool, calls=cognito_calls, failing=failing)


@pytest.fixture
def post(invoke, user_pool_calls):
    """Call an operation for which the authorizer is not asked."""

    def call(operation, body):
        return gateway.answer(invoke(operation, gateway.event("POST", OPEN[operation], body=body, problem=None)))

    return call


LOG_OUT = ("POST", "/users/logout")
OPEN = {
    "register_user": "/users/register",
    "activate_user": "/users/activate",
    "request_activation": "/users/activate/request",
    "login_user": "/users/login",
    "request_password_reset": "/users/password/request",
    "reset_password": "/users/password/reset",
}


@pytest.fixture
def register(post):
    """Register a user; the answer's body."""

    def call(name, **more):
        answer = post("register_user", {"username": name, "password": PASSWORD} | more)
        assert answer.status == 201, answer.body
        return answer.json

    return call


@pytest.fixture
def log_in(post):
    """Try to sign in."""

    def call(name="ada", password=PASSWORD):
        return post("login_user", {"username": name, "password": password})

    return call


def refused(answer):
    """Status and code of a problem, after a look at its form."""
    problem = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status
    assert problem["message"] == problem["detail"]
    return answer.status, problem["code"]


def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def states(user_pool_calls):
    found = user_pool_calls.client.list_users(UserPoolId=user_pool_calls.pool)["Users"]
    return {user["Username"]: user["UserStatus"] for user in found}


# Registering


def test_who_registers_can_sign_in_at_once(register, log_in, user_pool_calls):
    handle = register("ada")
    assert set(handle) == {"id", "username", "active", "warnings"}
    assert (handle["username"], handle["active"]) == ("ada", True)
    assert states(user_pool_calls) == {"ada": "CONFIRMED"}
    assert log_in().json["id"] == handle["id"]


def test_an_address_is_verified_first(register, post, log_in, user_pool_calls):
    handle = register("ada", email="ada@example.org")
    assert handle["active"] is False
    assert states(user_pool_calls) == {"ada": "UNCONFIRMED"}
    assert refused(log_in()) == (401, "NOT_ACTIVE")
    answer = post("activate_user", {"userId": handle["id"], "code": "123456"})
    assert (answer.status, answer.json) == (200, {"id": handle["id"], "username": "ada"})
    assert log_in().status == 200


@pytest.mark.parametrize("by", ["userId", "id", "username"])
def test_a_user_is_activated_by_id_or_name(register, post, user_pool_calls, by):
    handle = register("ada", email="ada@example.org", verify=True)
    named = handle["username" if by == "username" else "id"]
    assert post("activate_user", {by: named, "code": "123456"}).json["username"] == "ada"
    assert states(user_pool_calls) == {"ada": "CONFIRMED"}


def test_old_clients_register_without_verification(register, user_pool_calls):
    assert register("ada", email="ada@example.org", verify=False)["active"] is True
    assert register("bob", verify=False)["active"] is True
    assert register("cy", verify=None)["active"] is True
    assert set(states(user_pool_calls).values()) == {"CONFIRMED"}


def test_without_an_address_there_is_nothing_to_verify(register):
    assert register("ada", verify=True)["active"] is True


def test_where_addresses_are_needed_nobody_gets_round_them(post, register, user_pool_calls, monkeypatch):
    monkeypatch.setenv("SELF_REGISTRATION", "verified")
    answer = post("register_user", {"username": "ada", "password": PASSWORD, "verify": False})
    assert refused(answer) == (400, "EMAIL_NEEDED")
    assert states(user_pool_calls) == {}
    assert register("ada", email="ada@example.org", verify=False)["active"] is False
    assert states(user_pool_calls) == {"ada": "UNCONFIRMED"}


def test_who_registers_is_told_when_a_forgotten_password_is_lost(register):
    (warning,) = register("ada")["warnings"]
    assert warning == "without an e-mail address a forgotten password cannot be reset"
    (warning,) = register("bob", email="bob@example.org", verify=False)["warnings"]
    assert warning == "the e-mail address was not verified, so a forgotten password cannot be reset"
    assert "warnings" not in register("cy", email="cy@example.org")


def codes_sent(user_pool_calls):
    return [call["Username"] for call in user_pool_calls.calls if "Token" not in call]


@pytest.mark.parametrize("by", ["userId", "id", "username"])
def test_an_activation_code_is_sent_again(register, post, user_pool_calls, by):
    handle = register("ada", email="ada@example.org")
    named = handle["username" if by == "username" else "id"]
    answer = post("request_activation", {by: named})
    assert (answer.status, answer.json) == (200, {"requestId": named})
    assert codes_sent(user_pool_calls) == ["ada"]


def test_asking_for_an_activation_code_tells_nothing_about_users(register, post, user_pool_calls, subtests):
    register("ada", email="ada@example.org")
    known = post("request_activation", {"username": "ada"})
    for code in cognito.NO_CODE_SENT:
        with subtests.test(code), user_pool_calls.failing("ResendConfirmationCode", code):
            unknown = post("request_activation", {"username": "ada"})
            assert (known.status, known.headers, known.body) == (unknown.status, unknown.headers, unknown.body)
    assert post("request_activation", {"username": STRANGER}).json == {"requestId": STRANGER}
    with user_pool_calls.failing("ResendConfirmationCode", "TooManyRequestsException"):
        assert refused(post("request_activation", {"username": "ada"})) == (429, "TOO_MANY_ATTEMPTS")
    for body in ({}, {"username": None}, {"username": "a b"}):
        assert refused(post("request_activation", body)) == (400, "INVALID_REQUEST")


def test_a_mistyped_address_does_not_keep_the_name(register, post, log_in, user_pool_calls):
    first = register("ada", email="ada@exmaple.org")
    second = register("ada", email="ada@example.org", password="another horse")
    assert second["id"] != first["id"]
    assert (second["active"], states(user_pool_calls)) == (False, {"ada": "UNCONFIRMED"})
    assert refused(post("activate_user", {"userId": first["id"], "code": "123456"})) == (400, "INVALID_CODE")
    assert post("activate_user", {"userId": second["id"], "code": "123456"}).status == 200
    assert log_in("ada", PASSWORD).status == 401
    assert log_in("ada", "another horse").status == 200


def test_nobody_gets_ones_own_password_activated_by_the_code_of_another(register, post, user_pool_calls):
    handle = register("ada", email="ada@example.org")
    again = {"username": "ada", "password": "evil horses", "email": "ada@example.org"}
    for email in ("ada@example.org", "Ada@Example.org", None):
        answer = post("register_user", again | {"email": email})
        assert refused(answer) == (409, "NAME_TAKEN")
        assert "can be sent again" in answer.json["detail"]
    # Nor by way of an address of one's own.
    register("ada", email="eve@example.org")
    assert refused(post("register_user", again)) == (409, "NAME_TAKEN")
    assert handle["id"] not in str(user_pool_calls.client.list_users(UserPoolId=user_pool_calls.pool))


def test_addresses_are_not_tried_without_end(register, post):
    for number in range(registering.MAX_ADDRESSES):
        register("ada", email=f"ada{number}@example.org")
    body = {"username": "ada", "password": PASSWORD, "email": "ada@example.org"}
    assert refused(post("register_user", body)) == (409, "NAME_TAKEN")


@pytest.mark.parametrize("name", ["ada", "Ada"])
@pytest.mark.parametrize("email", ["ada@example.org", "other@example.org", None])
def test_a_name_whose_code_has_expired_is_free(register, user_pool_calls, monkeypatch, name, email):
    first = register("ada", email="ada@example.org")
    later = datetime.now(UTC) + registering.CODE_LIFE + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    more = {"email": email} if email else {}
    second = register(name, **more)
    assert second["id"] != first["id"]
    assert list(states(user_pool_calls)) == [name]


def test_an_active_user_keeps_the_name_for_ever(register, post, user_pool_calls, monkeypatch):
    register("ada", email="ada@example.org")
    post("activate_user", {"username": "ada", "code": "123456"})
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + 400 * registering.CODE_LIFE)
    for email in ("ada@example.org", "eve@example.org", None):
        body = {"username": "ada", "password": PASSWORD, "email": email}
        assert refused(post("register_user", body)) == (409, "NAME_TAKEN")
    assert states(user_pool_calls) == {"ada": "CONFIRMED"}


def test_a_registration_that_died_halfway_frees_its_name(register, post, user_pool_calls, monkeypatch):
    user_pool_calls.client.sign_up(ClientId=cognito._app(), Username="ada", Password=PASSWORD)
    body = {"username": "ada", "password": PASSWORD, "email": "ada@example.org"}
    assert refused(post("register_user", body)) == (409, "NAME_TAKEN")
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + registering.CODE_LIFE + timedelta(seconds=1))
    assert register("ada")["active"]


@pytest.mark.parametrize("mode", ["closed", None])
def test_where_registration_is_closed(post, user_pool_calls, monkeypatch, mode):
    monkeypatch.delenv("SELF_REGISTRATION")
    if mode:
        monkeypatch.setenv("SELF_REGISTRATION", mode)
    body = {"username": "ada", "password": PASSWORD, "email": "ada@example.org"}
    assert refused(post("register_user", body)) == (403, "REGISTRATION_CLOSED")
    assert states(user_pool_calls) == {}


def test_a_pool_that_only_administrators_fill_is_closed(post, user_pool_calls):
    with user_pool_calls.failing("SignUp", "NotAuthorizedException"):
        answer = post("register_user", {"username": "ada", "password": PASSWORD})
    assert refused(answer) == (403, "REGISTRATION_CLOSED")


def test_a_name_is_taken_once(register, post, log_in):
    register("ada")
    body = {"username": "ada", "password": "something else"}
    assert refused(post("register_user", body)) == (409, "NAME_TAKEN")
    assert log_in().status == 200


def test_names_in_any_script_are_the_same_however_they_are_typed(register, post, log_in):
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    assert register(decomposed)["username"] == composed
    assert refused(post("register_user", {"username": composed, "password": PASSWORD})) == (409, "NAME_TAKEN")
    assert log_in(decomposed).json["username"] == composed
    for name in ("李雷", "Дарья", "🦊", "o'hara", "@ada", "x" * 128):
        assert log_in(register(name)["username"]).status == 200


BAD_NAMES = {
    "empty": "",
    "too long": "x" * 129,
    "blank inside": "ada lovelace",
    "blank": " ",
    "blank before": " ada",
    "no-break space": "ada\u00a0l",
    "tab": "a\tb",
    "line break": "ada\n",
    "NUL": "a\x00b",
    "control": "a\x1bb",
    "invisible": "a\u200bb",
    "right to left": "a\u202eb",
    "half a character": "\ud800",
    "private use": "\ue000",
    "an address": "ada@example.org",
    "an address in full width": "ada\uff20example.org",
    "nothing visible": "\u3164\ufe0f",
    "an id": "0ada0000-0000-4000-8000-000000000001",
    "an id in capitals": "0ADA0000-0000-4000-8000-000000000001",
    "an id in full width": "\uff10ada0000-0000-4000-8000-000000000001",
    "number": 5,
    "list": ["ada"],
    "nothing": None,
}


SAME_NAMES = {
    "case": ("ada", "Ada"),
    "full width": ("ada", "\uff41\uff44\uff41"),
    "sharp s": ("strasse", "straße"),
    "filler": ("ada", "ada\u3164"),
    "variation selector": ("❤", "❤\ufe0f"),
    "empty Braille": ("ada", "ada\u2800"),
}


@pytest.mark.parametrize("kind", SAME_NAMES)
def test_nobody_is_called_what_looks_like_another_name(register, post, log_in, user_pool_calls, kind):
    first, second = SAME_NAMES[kind]
    for name, lookalike in ((first, second), (f"2-{second}", f"2-{first}")):
        register(name)
        assert refused(post("register_user", {"username": lookalike, "password": PASSWORD})) == (409, "NAME_TAKEN")
        assert log_in(name).json["username"] == name
        assert log_in(lookalike).status == 401
        assert lookalike not in states(user_pool_calls)


def test_a_name_is_free_again_when_its_user_was_deleted(register, user_pool_calls):
    first = register("ada")
    user_pool_calls.client.admin_delete_user(UserPoolId=user_pool_calls.pool, Username="ada")
    second = register("Ada")
    assert second["id"] != first["id"]
    user_pool_calls.client.admin_delete_user(UserPoolId=user_pool_calls.pool, Username="Ada")
    assert register("Ada")["id"] != second["id"]


def test_of_two_who_register_names_that_look_alike_at_once_one_gets_it(post, register, user_pool_calls, monkeypatch):
    holder = registering.usernames.holder
    others = iter(["ADA"])

    def late(name):
        found = holder(name)
        for other in others:
            register(other)
        return found

    monkeypatch.setattr(registering.usernames, "holder", late)
    assert refused(post("register_user", {"username": "ada", "password": PASSWORD})) == (409, "NAME_TAKEN")
    assert states(user_pool_calls) == {"ADA": "CONFIRMED"}


def test_names_that_cannot_be(post, user_pool_calls, subtests):
    for kind, name in BAD_NAMES.items():
        with subtests.test(kind):
            answer = post("register_user", {"username": name, "password": PASSWORD})
            assert refused(answer) == (400, "INVALID_REQUEST")
            assert "username" in answer.json["detail"]
    assert states(user_pool_calls) == {}


BAD_PASSWORDS = {
    "empty": "",
    "short": "1234567",
    "long": "x" * 257,
    "blank before": " secret words",
    "blank after": "secret words ",
    "line break": "secret\nwords",
    "number": 12345678,
    "nothing": None,
}


def test_passwords_that_cannot_be(post, user_pool_calls, subtests):
    for kind, password in BAD_PASSWORDS.items():
        with subtests.test(kind):
            answer = post("register_user", {"username": "ada", "password": password})
            assert refused(answer) == (400, "INVALID_REQUEST")
            assert answer.json["detail"].startswith("password ") or "password: " in answer.json["detail"]
            assert not password or str(password) not in answer.json["detail"]
    assert states(user_pool_calls) == {}


def test_what_is_wrong_with_a_value_is_said_in_words(post, user_pool_calls, subtests):
    good = {"username": "ada", "password": PASSWORD}
    for wrong, words in (
        ({"username": "ada lovelace"}, "a user name has no spaces"),
        ({"username": "ada@example.org"}, "a user name is shown to every user, so it cannot be an e-mail address"),
        ({"password": "correct horse "}, "a password neither begins nor ends with a space"),
        ({"password": "\u2003correct horse"}, "a password neither begins nor ends with a space"),
        ({"email": "ada"}, "an e-mail address has one @"),
    ):
        with subtests.test(words):
            detail = post("register_user", good | wrong).json["detail"]
            assert words in detail
            assert "pattern" not in detail
    for operation, more in (("activate_user", {}), ("reset_password", {"password": PASSWORD})):
        answer = post(operation, {"username": "ada", "code": "1 2", **more})
        assert "a code has no spaces" in answer.json["detail"]


def test_passwords_are_taken_literally(post, log_in):
    for number, password in enumerate(("  in  side  ".strip(), "päßwörd-漢字", "$HOME`id`;'\"\\", "\t".join("abcde"))):
        name = f"ada{number}"
        assert post("register_user", {"username": name, "password": password}).status == 201
        assert log_in(name, password).status == 200
        for wrong in (password.upper(), password.lower(), f"{password} ", f" {password}", password[:-1]):
            if wrong != password:
                assert log_in(name, wrong).status == 401


def test_addresses_that_cannot_be(post, user_pool_calls, subtests):
    for email in ("", "ada", "ada@", "@example.org", "a b@example.org", "a@b@c", 5):
        with subtests.test(email=email):
            answer = post("register_user", {"username": "ada", "password": PASSWORD, "email": email})
            assert refused(answer) == (400, "INVALID_REQUEST")
    assert states(user_pool_calls) == {}


def test_what_cognito_may_say_to_a_registration(post, user_pool_calls, subtests):
    expected = {
        "InvalidPasswordException": (400, "WEAK_PASSWORD"),
        "InvalidParameterException": (400, "INVALID_REQUEST"),
        "CodeDeliveryFailureException": (400, "INVALID_REQUEST"),
        "TooManyRequestsException": (429, "TOO_MANY_ATTEMPTS"),
        "LimitExceededException": (429, "TOO_MANY_ATTEMPTS"),
        "InternalErrorException": (500, "INTERNAL_ERROR"),
    }
    for code, refusal in expected.items():
        with subtests.test(code), user_pool_calls.failing("SignUp", code):
            assert refused(post("register_user", {"username": "ada", "password": PASSWORD})) == refusal


# Signing in


def test_signing_in_gives_the_callers_token_and_when_it_ends(register, log_in, user_pool_calls):
    handle = register("ada")
    answer = log_in()
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json) == {"id", "username", "token", "expiresAt"}
    assert (answer.json["id"], answer.json["username"]) == (handle["id"], "ada")
    said = claims(answer.json["token"])
    assert (said["token_use"], said["sub"]) == ("access", handle["id"])
    ends = datetime.fromisoformat(answer.json["expiresAt"])
    assert ends == datetime.fromtimestamp(said["exp"], UTC)
    assert answer.json["expiresAt"].endswith(".000000+00:00")


def test_no_other_key_to_the_account_is_left(register, log_in, user_pool_calls):
    register("ada")
    log_in()
    log_in()
    assert len({call["Token"] for call in user_pool_calls.calls}) == 2


def test_every_sign_in_gives_another_token(register, log_in):
    register("ada")
    first, second = (claims(log_in().json["token"])["jti"] for _ in range(2))
    assert first != second


def test_a_wrong_password_and_an_unknown_user_look_the_same(register, log_in):
    register("ada")
    wrong, unknown = log_in("ada", "wrong horse"), log_in("eve", "wrong horse")
    assert refused(wrong) == (401, "WRONG_CREDENTIALS")
    assert (wrong.status, wrong.headers, wrong.body) == (unknown.status, unknown.headers, unknown.body)


def test_what_cognito_may_say_to_a_sign_in(log_in, user_pool_calls, subtests):
    expected = {
        "NotAuthorizedException": (401, "WRONG_CREDENTIALS"),
        "UserNotFoundException": (401, "WRONG_CREDENTIALS"),
        "InvalidParameterException": (401, "WRONG_CREDENTIALS"),
        "UserNotConfirmedException": (401, "NOT_ACTIVE"),
        "PasswordResetRequiredException": (401, "PASSWORD_RESET_REQUIRED"),
        "TooManyRequestsException": (429, "TOO_MANY_ATTEMPTS"),
        "InternalErrorException": (500, "INTERNAL_ERROR"),
    }
    for code, refusal in expected.items():
        with subtests.test(code), user_pool_calls.failing("InitiateAuth", code):
            assert refused(log_in()) == refusal


def test_a_token_that_cannot_be_confined_to_this_service_is_not_given(register, log_in, user_pool_calls):
    register("ada")
    with user_pool_calls.failing("RevokeToken", "TooManyRequestsException"):
        answer = log_in()
    assert refused(answer) == (429, "TOO_MANY_ATTEMPTS")
    assert "token" not in answer.json


def test_a_disabled_user_cannot_sign_in(register, log_in, user_pool_calls):
    register("ada")
    user_pool_calls.client.admin_disable_user(UserPoolId=user_pool_calls.pool, Username="ada")
    assert refused(log_in()) == (401, "WRONG_CREDENTIALS")


def test_a_temporary_password_is_no_way_in(log_in, user_pool_calls):
    user_pool_calls.client.admin_create_user(
        UserPoolId=user_pool_calls.pool, Username="ada", TemporaryPassword=PASSWORD
    )
    assert refused(log_in()) == (401, "PASSWORD_CHANGE_REQUIRED")


def test_bodies_that_are_no_sign_in(post, subtests):
    for body in (
        {},
        [],
        "null",
        '"ada"',
        "{",
        "",
        {"username": "ada"},
        {"password": PASSWORD},
        {"username": ["ada"], "password": PASSWORD},
        {"username": "ada", "password": {"$ne": ""}},
        {"username": "ada", "password": ""},
        {"username": "a b", "password": PASSWORD},
    ):
        with subtests.test(body=body):
            assert refused(post("login_user", body)) == (400, "INVALID_REQUEST")


# Who is calling, and signing out


def person(session):
    """How the authorizer introduces whoever signed in."""
    said = claims(session["token"])
    return gateway.Person(said["sub"], said["username"], (), said["jti"], said["exp"])


def test_whoami(invoke):
    for who in (gateway.ADA, gateway.ORGANISER):
        answer = gateway.answer(invoke("whoami", gateway.event("GET", "/users/whoami", user=who)))
        assert answer.status == 200
        assert answer.json == {"id": who.id, "username": who.name, "roles": list(who.roles)}


def test_strangers_are_told_why(invoke, subtests):
    closed = {"whoami": ("GET", "/users/whoami"), "list_users": ("GET", "/users"), "logout_user": LOG_OUT}
    for operation, (method, path) in closed.items():
        for problem in ("not logged in", "token expired", "token not valid", None):
            with subtests.test(operation=operation, problem=problem):
                answer = gateway.answer(invoke(operation, gateway.event(method, path, problem=problem)))
                assert refused(answer) == (401, "UNAUTHENTICATED")
                assert answer.json["detail"] == (problem or "not logged in")
                assert answer.headers["www-authenticate"].startswith("Bearer")


def sign_out(invoke, **asked):
    return gateway.answer(invoke("logout_user", gateway.event(*LOG_OUT, **asked)))


def test_signing_out_refuses_the_token_that_came(invoke, table, register, log_in, subtests):
    register("ada")
    now = int(time.time())
    for body in (None, {}, "", "null", "no JSON", {"anything": 1}):
        with subtests.test(body=body):
            ada, again = (person(log_in().json) for _ in range(2))
            answer = sign_out(invoke, user=ada, body=body)
            assert (answer.status, answer.json) == (200, {"id": ada.id, "username": "ada"})
            assert revocations.is_signed_out(ada.token, ada.id, now)
            assert not revocations.is_signed_out(again.token, again.id, now)
            assert stored.get(stored.token(ada.token)).expires > ada.expires


def test_signing_out_twice_is_no_mistake(invoke, table):
    assert sign_out(invoke, user=gateway.ADA).status == 200
    assert sign_out(invoke, user=gateway.ADA).status == 200
    again = sign_out(invoke, problem="signed out")
    assert (again.status, again.json) == (200, {})


def revoke(invoke, named, user=gateway.ORGANISER):
    path = "/users/{userId}/tokens"
    return gateway.answer(invoke("revoke_tokens", gateway.event("DELETE", path, {"userId": named}, user=user)))


@pytest.mark.parametrize("by", ["id", "username"])
def test_an_organiser_ends_all_sessions_of_a_user(invoke, register, log_in, by):
    handle = register("ada")
    since = claims(log_in().json["token"])["iat"]
    for _ in range(2):
        answer = revoke(invoke, handle[by])
        assert (answer.status, answer.json) == (200, {"id": handle["id"], "username": "ada"})
        assert revocations.is_signed_out("any", handle["id"], since)
        assert not revocations.is_signed_out("any", handle["id"], since + 60)
    assert not revocations.is_signed_out("any", STRANGER, since)


def test_sessions_of_a_deleted_user_are_ended_by_id(invoke, register, user_pool_calls):
    handle = register("ada")
    user_pool_calls.client.admin_delete_user(UserPoolId=user_pool_calls.pool, Username="ada")
    assert refused(revoke(invoke, "ada")) == (404, "UNKNOWN_USER")
    since = int(time.time())
    answer = revoke(invoke, handle["id"].upper())
    assert (answer.status, answer.json) == (200, {"id": handle["id"]})
    assert revocations.is_signed_out("any", handle["id"], since)


@pytest.mark.parametrize("named", ["eve", "a b", "x" * 400, "\u202eada", "a,b", '"', "Zoe\u0308"])
def test_there_are_no_sessions_of_nobody(invoke, user_pool_calls, named):
    assert revoke(invoke, named).status == 404


def test_only_organisers_end_sessions_of_others(invoke, register):
    handle = register("ada")
    for who in (gateway.ADA, person({"token": unsigned(handle["id"])})):
        assert refused(revoke(invoke, handle["id"], who)) == (403, "ORGANISERS_ONLY")
    assert not revocations.is_signed_out("any", handle["id"], 0)


def unsigned(user):
    said = {"sub": user, "username": "ada", "jti": "x", "exp": 4_102_444_800}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(said).encode()).decode()}.x"


def record(**changed):
    """An event of CloudTrail about an administrator's act, as the sample is."""
    event = json.loads((emulator.PROJECT / "events" / "watch_users.json").read_text("utf-8"))
    event["detail"] |= {"eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **changed}
    return event


def test_a_record_of_an_administrators_act_ends_the_sessions_of_its_user(invoke, user_pool_calls):
    event = record()
    user = event["detail"]["additionalEventData"]["sub"]
    assert invoke("watch_users", event) == {"user": user, "because": "AdminDisableUser"}
    moment = int(datetime.fromisoformat(event["detail"]["eventTime"]).timestamp())
    assert revocations.is_signed_out("any", user, moment)
    assert not revocations.is_signed_out("any", user, moment + 1)


def test_a_record_that_comes_late_leaves_later_sessions_alone(invoke, user_pool_calls):
    event = record(eventTime="2026-01-01T00:00:00Z")
    user = invoke("watch_users", event)["user"]
    assert not revocations.is_signed_out("any", user, int(time.time()) - 60)


def test_a_record_that_names_its_user_is_understood_too(invoke, register, caplog):
    handle = register("ada")
    for name in ("ada", handle["id"]):
        named = {"requestParameters": {"userPoolId": "p", "username": name}, "additionalEventData": None}
        assert invoke("watch_users", record(**named))["user"] == handle["id"]
    hidden = {"requestParameters": {"username": "HIDDEN_DUE_TO_SECURITY_REASONS"}, "additionalEventData": {}}
    assert invoke("watch_users", record(**hidden)) == {"user": None}


# Passwords


def test_a_password_is_reset_by_the_code_from_the_e_mail(register, post, log_in, table):
    handle = register("ada")
    since = int(time.time())
    asked = post("request_password_reset", {"username": "ada"})
    assert (asked.status, asked.json) == (200, {"requestId": "ada"})
    body = {"requestId": asked.json["requestId"], "code": "654321", "password": "battery staple"}
    answer = post("reset_password", body)
    assert (answer.status, answer.json) == (200, {"id": handle["id"], "username": "ada"})
    assert log_in("ada", PASSWORD).status == 401
    assert log_in("ada", "battery staple").status == 200
    assert revocations.is_signed_out("any", handle["id"], since - 1)
    assert not revocations.is_signed_out("any", handle["id"], int(time.time()) + 1)


def is_refused(answer):
    """Whether the authorizer refuses the token that the operation answered."""
    said = claims(answer.json["token"])
    return revocations.is_signed_out(said["jti"], said["sub"], said["auth_time"])


def test_no_session_outlives_a_reset_and_the_next_one_lives(register, post, log_in, table):
    register("ada")
    before = [log_in() for _ in range(3)]
    assert post("reset_password", {"username": "ada", "code": "654321", "password": "battery staple"}).status == 200
    assert all(is_refused(session) for session in before)
    assert not is_refused(log_in("ada", "battery staple"))


def test_who_signs_in_while_the_password_is_reset_is_signed_out(register, post, log_in, monkeypatch):
    register("ada")
    reset, late, moment = cognito.reset_password, [], datetime.now(UTC)

    def slow(*said):
        late.append(log_in())
        user = reset(*said)
        monkeypatch.setattr(clock, "now", lambda: moment + timedelta(seconds=5))
        return user

    monkeypatch.setattr(cognito, "reset_password", slow)
    monkeypatch.setattr(clock, "now", lambda: moment - timedelta(seconds=5))
    assert post("reset_password", {"username": "ada", "code": "654321", "password": "battery staple"}).status == 200
    assert is_refused(late[0])


def test_no_session_outlives_another_password_but_the_one_that_begins(invoke, register, log_in, user_pool_calls):
    register("ada")
    before = [log_in() for _ in range(4)]
    answer = change(invoke, person(before[1].json), PASSWORD, "battery staple")
    assert all(is_refused(session) for session in before)
    assert not is_refused(answer)
    assert not is_refused(log_in("ada", "battery staple"))


def test_a_session_after_a_revocation_lives(invoke, register, log_in):
    register("ada")
    for _ in range(3):
        before = log_in()
        assert not is_refused(before)
        revoke(invoke, "ada")
        assert is_refused(before)
    assert not is_refused(log_in())


def test_in_the_second_of_a_sign_out_the_password_is_asked_for_again(
    register, log_in, user_pool_calls, waits, monkeypatch
):
    handle = register("ada")
    revocations.sign_out_everywhere(handle["id"], datetime.now(UTC) + timedelta(seconds=1))
    changed = {"UserPoolId": user_pool_calls.pool, "Username": "ada", "Password": "battery staple", "Permanent": True}

    def meanwhile(seconds):
        waits.append(seconds)
        with iam.asked():
            user_pool_calls.client.admin_set_user_password(**changed)

    monkeypatch.setattr(login, "wait", meanwhile)
    assert refused(log_in()) == (401, "WRONG_CREDENTIALS")
    assert len(waits) == 1
    assert not is_refused(log_in("ada", "battery staple"))


def test_nobody_waits_who_need_not(register, log_in, waits):
    handle = register("ada")
    assert log_in().status == 200
    revocations.sign_out_everywhere(handle["id"], datetime.now(UTC) - timedelta(seconds=2))
    assert log_in().status == 200
    assert waits == []


def test_nobody_waits_for_long(register, log_in, waits, user_pool_calls):
    handle = register("ada")
    revocations.sign_out_everywhere(handle["id"], datetime.now(UTC) + timedelta(minutes=1))
    assert refused(log_in()) == (503, "BUSY")
    assert waits == [login.MAX_WAIT_SECONDS] * (login.TRIES - 1)
    assert len(user_pool_calls.calls) == login.TRIES


def test_a_password_is_reset_by_name_or_id(register, post, log_in, table):
    handle = register("ada")
    for number, user in enumerate(("ada", handle["id"])):
        password = f"battery staple {number}"
        answer = post("reset_password", {"username": user, "code": "654321", "password": password})
        assert answer.json == {"id": handle["id"], "username": "ada"}
        assert log_in("ada", password).status == 200


def test_asking_for_a_reset_tells_nothing_about_users(register, post, user_pool_calls, subtests):
    register("ada")
    known = post("request_password_reset", {"username": "ada"})
    assert known.json == {"requestId": "ada"}
    for code in cognito.NO_CODE_SENT:
        with subtests.test(code), user_pool_calls.failing("ForgotPassword", code):
            unknown = post("request_password_reset", {"username": "ada"})
            assert (known.status, known.headers, known.body) == (unknown.status, unknown.headers, unknown.body)


def test_asking_for_resets_is_bounded_by_cognito(post, user_pool_calls):
    with user_pool_calls.failing("ForgotPassword", "TooManyRequestsException"):
        assert refused(post("request_password_reset", {"username": "ada"})) == (429, "TOO_MANY_ATTEMPTS")


@pytest.mark.parametrize(
    ("operation", "call", "more"),
    [
        ("activate_user", "ConfirmSignUp", {}),
        ("reset_password", "ConfirmForgotPassword", {"password": "battery staple"}),
    ],
)
def test_trying_codes_tells_nothing_about_users(
    register, post, user_pool_calls, table, subtests, operation, call, more
):
    handle = register("ada")
    unknown = post(operation, {"username": "eve", "code": "000000", **more})
    nobody = post(operation, {"username": STRANGER, "code": "000000", **more})
    assert unknown.body == nobody.body
    for code in cognito.CODE_REFUSALS:
        with subtests.test(code), user_pool_calls.failing(call, code):
            wrong = post(operation, {"username": "ada", "code": "000000", **more})
            assert refused(wrong) == (400, "INVALID_CODE")
            assert (wrong.body, wrong.headers) == (unknown.body, unknown.headers)
    assert not revocations.is_signed_out("any", handle["id"], 0)


def test_a_new_password_follows_the_rules(register, post, user_pool_calls):
    register("ada")
    short = post("reset_password", {"username": "ada", "code": "1", "password": "short"})
    assert refused(short) == (400, "INVALID_REQUEST")
    with user_pool_calls.failing("ConfirmForgotPassword", "InvalidPasswordException"):
        weak = post("reset_password", {"username": "ada", "code": "1", "password": "battery staple"})
    assert refused(weak) == (400, "WEAK_PASSWORD")


def test_codes_that_cannot_be(post, subtests):
    for operation in ("activate_user", "reset_password"):
        for body in (
            {"code": "123456"},
            {"username": None, "code": "123456"},
            {"username": "ada"},
            {"username": "ada", "code": 123456},
            {"username": "ada", "code": ""},
            {"username": "ada", "code": "1 2"},
            {"username": "ada", "code": "1" * 65},
            {"username": "a b", "code": "1"},
        ):
            with subtests.test(operation, body=body):
                answer = post(operation, {**body, "password": "battery staple"})
                assert refused(answer) == (400, "INVALID_REQUEST")


def change(invoke, who, present, password):
    body = {"password": present, "newPassword": password}
    return gateway.answer(invoke("change_password", gateway.event("PUT", "/users/password", body=body, user=who)))


def test_a_password_is_changed_by_who_knows_it_and_all_other_sessions_end(invoke, register, log_in, user_pool_calls):
    handle = register("ada")
    session = log_in().json
    ada, before = person(session), claims(session["token"])
    answer = change(invoke, ada, PASSWORD, "battery staple")
    assert (answer.status, answer.json["id"]) == (200, handle["id"])
    assert set(answer.json) == {"id", "username", "token", "expiresAt"}
    assert log_in("ada", PASSWORD).status == 401
    assert log_in("ada", "battery staple").status == 200
    # No token can be told from another but by its second: all older ones are refused, of the change's second too.
    assert revocations.is_signed_out(ada.token, ada.id, before["auth_time"])
    new = claims(answer.json["token"])
    assert revocations.is_signed_out("any", ada.id, new["auth_time"] - 1)
    assert not revocations.is_signed_out(new["jti"], ada.id, new["auth_time"])
    # Whoever is given a token or proves a password gets no other key to the account.
    assert len({call["Token"] for call in user_pool_calls.calls}) == len(user_pool_calls.calls) >= 4


def test_a_wrong_present_password_changes_nothing(invoke, register, log_in, user_pool_calls, subtests):
    handle = register("ada")
    ada = person(log_in().json)
    assert refused(change(invoke, ada, "wrong horse", "battery staple")) == (400, "WRONG_PASSWORD")
    for code in ("NotAuthorizedException", "PasswordResetRequiredException", "UserNotFoundException"):
        with subtests.test(code), user_pool_calls.failing("InitiateAuth", code):
            assert refused(change(invoke, ada, PASSWORD, "battery staple")) == (400, "WRONG_PASSWORD")
    with user_pool_calls.failing("ChangePassword", "InvalidPasswordException"):
        assert refused(change(invoke, ada, PASSWORD, "battery staple")) == (400, "WEAK_PASSWORD")
    with user_pool_calls.failing("InitiateAuth", "TooManyRequestsException"):
        assert refused(change(invoke, ada, PASSWORD, "battery staple")) == (429, "TOO_MANY_ATTEMPTS")
    assert refused(change(invoke, ada, PASSWORD, "short")) == (400, "INVALID_REQUEST")
    assert log_in().status == 200
    assert not revocations.is_signed_out(ada.token, handle["id"], 0)


# Finding users


def listed(invoke, **query):
    answer = gateway.answer(invoke("list_users", gateway.event("GET", "/users", query=query, user=gateway.ADA)))
    assert answer.status == 200, answer.body
    return answer.json


def test_users_are_listed_by_id_and_name_and_nothing_else(invoke, register):
    handles = [register(name, email=f"{name}@example.org", verify=False) for name in ("ada", "bob")]
    wanted = [{"id": handle["id"], "username": handle["username"]} for handle in handles]
    assert listed(invoke) == {"users": wanted}
    assert listed(invoke, query="b") == {"users": wanted[1:]}
    assert listed(invoke, query="x") == {"users": []}


def test_users_who_cannot_sign_in_are_not_listed(invoke, register, user_pool_calls):
    for name in ("ada", "adam"):
        register(name)
    register("adele", email="adele@example.org")
    user_pool_calls.client.admin_disable_user(UserPoolId=user_pool_calls.pool, Username="adam")
    assert [user["username"] for user in listed(invoke, query="ad")["users"]] == ["ada"]


def test_a_prefix_is_only_a_prefix(invoke, register):
    odd = ['a"b', "a\\b", "a*b", "a%b", 'a" or username ^= "']
    for name in ("ada", *(name.replace(" ", "_") for name in odd)):
        register(name)
    for name in odd:
        wanted = name.replace(" ", "_")
        assert [user["username"] for user in listed(invoke, query=wanted)["users"]] == [wanted]
    assert listed(invoke, query='" or username ^= "')["users"] == []
    assert len(listed(invoke, query="a")["users"]) == 6


def test_paging_shows_everybody_once(invoke, user_pool_calls):
    everybody = {f"user{number:03}" for number in range(130)}
    for name in everybody:
        registering.user(name, PASSWORD, None, False, datetime.now(UTC))
    for limit, pages in ((1000, 1), (60, 3), (50, 3), (130, 1)):
        seen, query, count = [], {"limit": str(limit)}, 0
        while query:
            page = listed(invoke, **query)
            assert len(page["users"]) <= limit
            seen += [user["username"] for user in page["users"]]
            count += 1
            query = {"limit": str(limit), "cursor": page["next"]} if "next" in page else None
        assert (set(seen), len(seen), count) == (everybody, 130, pages)
    # Who knows of no pages is shown everybody too.
    assert {user["username"] for user in listed(invoke)["users"]} == everybody
    assert "next" not in listed(invoke)


def test_everybody_is_as_many_as_the_document_says(invoke, user_pool_calls, monkeypatch):
    document = json.loads((emulator.PROJECT / "functions" / "get_openapi" / "openapi.json").read_text("utf-8"))
    (limit,) = (each["schema"] for each in document["paths"]["/users"]["get"]["parameters"] if each["name"] == "limit")
    assert limit["default"] == limit["maximum"] == 1000
    assert cognito.MAX_CALLS * cognito.MAX_PER_CALL >= 1.5 * limit["default"]


def test_what_was_found_before_cognito_had_enough_is_shown(invoke, user_pool_calls):
    for number in range(70):
        registering.user(f"user{number}", PASSWORD, None, False, datetime.now(UTC))
    seen = listed(invoke, limit="60")
    calls = iter([False])

    def tired(params, **_):
        if next(calls, True):
            error = {"Error": {"Code": "TooManyRequestsException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            return awsrequest.AWSResponse(params["url"], 400, {}, None), error
        return None

    name = "before-call.cognito-identity-provider.ListUsers"
    user_pool_calls.client.meta.events.register_first(name, tired)
    try:
        page = listed(invoke)
        answer = gateway.answer(invoke("list_users", gateway.event("GET", "/users", user=gateway.ADA)))
    finally:
        user_pool_calls.client.meta.events.unregister(name, tired)
    assert page["users"] == seen["users"]
    assert refused(answer) == (429, "TOO_MANY_ATTEMPTS")
    assert len(listed(invoke, cursor=page["next"])["users"]) == 10


def test_a_made_up_cursor(invoke, register, user_pool_calls, subtests):
    register("ada")
    for at in ("x", "bm90IGpzb24", "WzFd", "W10", "eyJhIjoxfQ", "ü"):
        with subtests.test(at):
            asked = gateway.event("GET", "/users", query={"cursor": at}, user=gateway.ADA)
            assert refused(gateway.answer(invoke("list_users", asked))) == (400, "INVALID_CURSOR")
    asked = gateway.event("GET", "/users", query={"cursor": cursors.write(listings.USERS, "made up")}, user=gateway.ADA)
    with user_pool_calls.failing("ListUsers", "InvalidParameterException"):
        assert refused(gateway.answer(invoke("list_users", asked))) == (400, "INVALID_CURSOR")


def test_limits_that_cannot_be(invoke, user_pool_calls, subtests):
    for limit in ("0", "1001", "-1", "x", "1.5"):
        with subtests.test(limit):
            asked = gateway.event("GET", "/users", query={"limit": limit}, user=gateway.ADA)
            assert refused(gateway.answer(invoke("list_users", asked))) == (400, "INVALID_REQUEST")


def test_members_are_found_by_id_or_name(register):
    ada, bob = (register(name)["id"] for name in ("ada", 'o"hara\\'))
    assert cognito.find(["ada", bob, bob.upper(), "ada"]) == {ada: "ada", bob: 'o"hara\\'}
    assert cognito.find([]) == {}


def test_all_unknown_members_are_named(register, user_pool_calls):
    register("ada")
    register("new", email="new@example.org")
    with pytest.raises(errors.InvalidRequest) as refusal:
        cognito.find(["ada", "eve", STRANGER, "new", "a b", ""])
    for name in ("eve", STRANGER, "new", "a b", "''"):
        assert name in refusal.value.detail
    assert "ada" not in refusal.value.detail.replace(STRANGER, "")


def test_somebody_called_like_the_id_of_another_is_not_taken_for_them(register, user_pool_calls):
    ada = register("ada")["id"]
    user_pool_calls.client.admin_create_user(UserPoolId=user_pool_calls.pool, Username=ada)
    assert cognito.find([ada]) == {ada: "ada"}


def test_an_overloaded_cognito_is_no_unknown_user(register, user_pool_calls):
    register("ada")
    with user_pool_calls.failing("AdminGetUser", "TooManyRequestsException"), pytest.raises(errors.OverQuota):
        cognito.find(["ada"])


# What never happens


def test_no_answer_but_the_sign_in_holds_a_token_or_a_password(invoke, register, post, log_in, table):
    session = log_in(register("ada")["username"]).json
    ada = person(session)
    answers = [
        post("register_user", {"username": "bob", "password": PASSWORD}),
        post("register_user", {"username": "bob", "password": PASSWORD}),
        log_in("ada", f"{PASSWORD}!"),
        post("activate_user", {"userId": ada.id, "code": "123456"}),
        post("request_password_reset", {"username": "ada"}),
        post("reset_password", {"username": "ada", "code": "654321", "password": PASSWORD}),
        gateway.answer(invoke("list_users", gateway.event("GET", "/users", user=ada))),
        gateway.answer(invoke("whoami", gateway.event("GET", "/users/whoami", user=ada))),
        sign_out(invoke, user=ada),
    ]
    for answer in answers:
        text = answer.body.decode()
        assert session["token"] not in text
        assert PASSWORD not in text
        assert "654321" not in text
        assert not {"token", "code", "password"} & set(answer.json) or answer.status >= 400


def test_nothing_secret_is_logged(register, log_in, post, caplog, table):
    register("ada")
    token = log_in().json["token"]
    log_in("ada", "wrong horse")
    post("register_user", {"username": "ada", "password": PASSWORD})
    post("register_user", {"username": "a b", "password": PASSWORD})
    post("reset_password", {"username": "ada", "code": "654321", "password": PASSWORD})
    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert logged.count("'message': 'answered'") == 6
    for secret in (token, PASSWORD, "wrong horse", "654321"):
        assert secret not in logged


def test_the_sample_events_play_a_users_story(invoke, user_pool_calls, table):
    story = {
        "register_user": 201,
        "activate_user": 200,
        "login_user": 200,
        "whoami": 200,
        "list_users": 200,
        "request_password_reset": 200,
        "reset_password": 200,
        "logout_user": 200,
    }
    for operation, status in story.items():
        sample = json.loads((emulator.PROJECT / "events" / f"{operation}.json").read_text("utf-8"))
        answer = gateway.answer(invoke(operation, sample))
        assert (operation, answer.status) == (operation, status)


# Leaving for good


@pytest.fixture
def place(user_pool_calls, bucket):
    """A workflow in which groups can be made."""
    scenario.put_workflow("w", packages.ranked())


def found(identifier, owner, *others):
    """A group of users, straight in the table."""
    group = scenario.new_group("w", identifier, owner["id"])
    group_items.create(group, {user["id"]: user["username"] for user in (owner, *others)}, workflow_items.get("w"))


def depart(invoke, who, password=PASSWORD):
    body = {"password": password}
    return gateway.answer(invoke("delete_user", gateway.event("POST", "/users/delete", body=body, user=who)))


def everything():
    """All that the table holds, as text."""
    pages = aws_clients.of("dynamodb").get_paginator("scan").paginate(TableName=stored.Item.Meta.table_name)
    return json.dumps([page["Items"] for page in pages])


def names_in(identifier):
    group, people = group_items.with_members(identifier)
    owner = next((one.name for one in people if one.id == group.owner), None)
    return owner, sorted(one.name for one in people)


def test_an_account_is_deleted_and_its_name_is_nowhere(invoke, register, log_in, user_pool_calls, place):
    ada, bob, cy = register("ada-lovelace"), register("bob"), register("cy")
    found("mine", ada, cy, bob)
    found("theirs", bob, ada)
    found("alone", ada)
    me = person(log_in("ada-lovelace").json)
    since = int(time.time())
    answer = depart(invoke, me)
    assert (answer.status, answer.json) == (200, {"id": ada["id"], "username": "ada-lovelace"})
    assert sorted(states(user_pool_calls)) == ["bob", "cy"]
    assert log_in("ada-lovelace").status == 401
    assert revocations.is_signed_out("any", ada["id"], since)
    assert names_in("mine") == ("bob", ["bob", "cy"])
    assert names_in("theirs") == ("bob", ["bob"])
    assert names_in("alone") == (None, [])
    assert "lovelace" not in everything()
    assert register("ada-lovelace")["id"] != ada["id"]


def test_what_a_group_did_stays_when_its_only_member_leaves(invoke, register, log_in, place, state_machine):
    ada = register("ada")
    found("g", ada)
    run = scenario.put_run("w", "g")
    scenario.end_run(run, score=1.0)
    assert depart(invoke, person(log_in("ada").json)).status == 200
    board = gateway.answer(
        invoke("get_leaderboard", gateway.event("GET", "/workflows/{workflowId}/leaderboard", {"workflowId": "w"}))
    )
    assert [(row["run"]["id"], row["group"]["name"]) for row in board.json["ranking"]] == [(run, "Group g")]
    handle = gateway.answer(
        invoke("get_group", gateway.event("GET", "/groups/{groupId}", {"groupId": "g"}, user=gateway.ORGANISER))
    )
    assert (handle.status, handle.json["members"]) == (200, [])
    shown = gateway.event("GET", "/runs/{runId}", {"runId": run}, user=gateway.ORGANISER)
    assert gateway.answer(invoke("get_run", shown)).status == 200
    gone = gateway.event("DELETE", "/groups/{groupId}", {"groupId": "g"}, user=gateway.ORGANISER)
    assert gateway.answer(invoke("delete_group", gone)).status in (202, 204)


def test_a_token_alone_deletes_no_account(invoke, register, log_in, user_pool_calls, place):
    ada = register("ada")
    found("g", ada)
    me = person(log_in().json)
    assert refused(depart(invoke, me, "wrong horse")) == (400, "WRONG_PASSWORD")
    with user_pool_calls.failing("InitiateAuth", "TooManyRequestsException"):
        assert refused(depart(invoke, me)) == (429, "TOO_MANY_ATTEMPTS")
    assert names_in("g") == ("ada", ["ada"])
    assert log_in().status == 200
    assert not revocations.is_signed_out("any", ada["id"], 0)


def test_a_deletion_that_was_interrupted_is_repeated(invoke, register, log_in, user_pool_calls, place):
    ada = register("ada")
    found("g", ada)
    me = person(log_in().json)
    with user_pool_calls.failing("AdminDeleteUser", "InternalErrorException"):
        assert refused(depart(invoke, me)) == (500, "INTERNAL_ERROR")
    assert log_in().status == 200
    assert depart(invoke, me).status == 200
    assert states(user_pool_calls) == {}


def test_who_is_added_to_a_group_meanwhile_is_not_in_it(invoke, register, log_in, user_pool_calls, place, monkeypatch):
    ada, bob = register("ada"), register("bob")
    delete = cognito.delete

    def late(name):
        with iam.asked():
            found("late", bob, ada)
        delete(name)

    monkeypatch.setattr(cognito, "delete", late)
    assert depart(invoke, person(log_in().json)).status == 200
    assert names_in("late") == ("bob", ["bob"])


def test_a_group_that_changes_meanwhile_is_left_all_the_same(invoke, register, log_in, place, monkeypatch):
    ada, bob, cy = register("ada"), register("bob"), register("cy")
    found("g", ada, bob, cy)
    look = group_items.find
    others = iter([bob])

    def late(identifier):
        seen = look(identifier)
        for other in others:
            assert leave._leave("g", other["id"]) is None
        return seen

    monkeypatch.setattr(group_items, "find", late)
    assert depart(invoke, person(log_in().json)).status == 200
    assert names_in("g") == ("cy", ["cy"])


def test_more_groups_than_a_page_are_left(invoke, register, log_in, place, monkeypatch):
    ada = register("ada")
    for number in range(5):
        found(f"g{number}", ada)
    monkeypatch.setattr(leave, "GROUPS", 2)
    assert depart(invoke, person(log_in().json)).status == 200
    assert [names_in(f"g{number}") for number in range(5)] == [(None, [])] * 5

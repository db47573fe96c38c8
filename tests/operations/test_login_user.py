"""Signing in: the token, who gets none, and the second in which one that was just revoked is waited for."""

from datetime import UTC, datetime, timedelta

from flowserverless.operations import login
from flowserverless.store import revocations
from support import accounts, iam


def test_signing_in_gives_the_callers_token_and_when_it_ends(register, log_in, user_pool_calls):
    handle = register("ada")
    answer = log_in()
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json) == {"id", "username", "token", "expiresAt"}
    assert (answer.json["id"], answer.json["username"]) == (handle["id"], "ada")
    said = accounts.claims(answer.json["token"])
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
    first, second = (accounts.claims(log_in().json["token"])["jti"] for _ in range(2))
    assert first != second


def test_a_wrong_password_and_an_unknown_user_look_the_same(register, log_in):
    register("ada")
    wrong, unknown = log_in("ada", "wrong horse"), log_in("eve", "wrong horse")
    assert accounts.refused(wrong) == (401, "WRONG_CREDENTIALS")
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
            assert accounts.refused(log_in()) == refusal


def test_a_token_that_cannot_be_confined_to_this_service_is_not_given(register, log_in, user_pool_calls):
    register("ada")
    with user_pool_calls.failing("RevokeToken", "TooManyRequestsException"):
        answer = log_in()
    assert accounts.refused(answer) == (429, "TOO_MANY_ATTEMPTS")
    assert "token" not in answer.json


def test_a_disabled_user_cannot_sign_in(register, log_in, user_pool_calls):
    register("ada")
    user_pool_calls.client.admin_disable_user(UserPoolId=user_pool_calls.pool, Username="ada")
    assert accounts.refused(log_in()) == (401, "WRONG_CREDENTIALS")


def test_a_temporary_password_is_no_way_in(log_in, user_pool_calls):
    user_pool_calls.client.admin_create_user(
        UserPoolId=user_pool_calls.pool, Username="ada", TemporaryPassword=accounts.PASSWORD
    )
    assert accounts.refused(log_in()) == (401, "PASSWORD_CHANGE_REQUIRED")


def test_bodies_that_are_no_sign_in(post, subtests):
    for body in (
        {},
        [],
        "null",
        '"ada"',
        "{",
        "",
        {"username": "ada"},
        {"password": accounts.PASSWORD},
        {"username": ["ada"], "password": accounts.PASSWORD},
        {"username": "ada", "password": {"$ne": ""}},
        {"username": "ada", "password": ""},
        {"username": "a b", "password": accounts.PASSWORD},
    ):
        with subtests.test(body=body):
            assert accounts.refused(post("login_user", body)) == (400, "INVALID_REQUEST")


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
    assert accounts.refused(log_in()) == (401, "WRONG_CREDENTIALS")
    assert len(waits) == 1
    assert not accounts.is_refused(log_in("ada", "battery staple"))


def test_nobody_waits_who_need_not(register, log_in, waits):
    handle = register("ada")
    assert log_in().status == 200
    revocations.sign_out_everywhere(handle["id"], datetime.now(UTC) - timedelta(seconds=2))
    assert log_in().status == 200
    assert waits == []


def test_nobody_waits_for_long(register, log_in, waits, user_pool_calls):
    handle = register("ada")
    revocations.sign_out_everywhere(handle["id"], datetime.now(UTC) + timedelta(minutes=1))
    assert accounts.refused(log_in()) == (503, "BUSY")
    assert waits == [login.MAX_WAIT_SECONDS] * (login.TRIES - 1)
    assert len(user_pool_calls.calls) == login.TRIES

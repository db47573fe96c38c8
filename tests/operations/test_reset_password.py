"""A new password by the code from the e-mail ends all sessions."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from flowserverless import clock
from flowserverless.aws import cognito
from flowserverless.store import revocations
from support import accounts


def test_a_password_is_reset_by_the_code_from_the_e_mail(register, post, log_in, table):
    handle = register("ada")
    since = int(time.time())
    asked = post("request_password_reset", {"username": "ada"})
    assert (asked.status, asked.json) == (200, {"requestId": "ada"})
    body = {"requestId": asked.json["requestId"], "code": "654321", "password": "battery staple"}
    answer = post("reset_password", body)
    assert (answer.status, answer.json) == (200, {"id": handle["id"], "username": "ada"})
    assert log_in("ada", accounts.PASSWORD).status == 401
    assert log_in("ada", "battery staple").status == 200
    assert revocations.is_signed_out("any", handle["id"], since - 1)
    assert not revocations.is_signed_out("any", handle["id"], int(time.time()) + 1)


def test_no_session_outlives_a_reset_and_the_next_one_lives(register, post, log_in, table):
    register("ada")
    before = [log_in() for _ in range(3)]
    assert post("reset_password", {"username": "ada", "code": "654321", "password": "battery staple"}).status == 200
    assert all(accounts.is_refused(session) for session in before)
    assert not accounts.is_refused(log_in("ada", "battery staple"))


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
    assert accounts.is_refused(late[0])


def test_a_password_is_reset_by_name_or_id(register, post, log_in, table):
    handle = register("ada")
    for number, user in enumerate(("ada", handle["id"])):
        password = f"battery staple {number}"
        answer = post("reset_password", {"username": user, "code": "654321", "password": password})
        assert answer.json == {"id": handle["id"], "username": "ada"}
        assert log_in("ada", password).status == 200


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
    nobody = post(operation, {"username": accounts.STRANGER, "code": "000000", **more})
    assert unknown.body == nobody.body
    for code in cognito.CODE_REFUSALS:
        with subtests.test(code), user_pool_calls.failing(call, code):
            wrong = post(operation, {"username": "ada", "code": "000000", **more})
            assert accounts.refused(wrong) == (400, "INVALID_CODE")
            assert (wrong.body, wrong.headers) == (unknown.body, unknown.headers)
    assert not revocations.is_signed_out("any", handle["id"], 0)


def test_a_new_password_follows_the_rules(register, post, user_pool_calls):
    register("ada")
    short = post("reset_password", {"username": "ada", "code": "1", "password": "short"})
    assert accounts.refused(short) == (400, "INVALID_REQUEST")
    with user_pool_calls.failing("ConfirmForgotPassword", "InvalidPasswordException"):
        weak = post("reset_password", {"username": "ada", "code": "1", "password": "battery staple"})
    assert accounts.refused(weak) == (400, "WEAK_PASSWORD")


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
                assert accounts.refused(answer) == (400, "INVALID_REQUEST")

"""Asking for one more activation code, which tells nothing about users."""

import pytest

from flowserverless.aws import cognito
from support import accounts


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
    assert post("request_activation", {"username": accounts.STRANGER}).json == {"requestId": accounts.STRANGER}
    with user_pool_calls.failing("ResendConfirmationCode", "TooManyRequestsException"):
        assert accounts.refused(post("request_activation", {"username": "ada"})) == (429, "TOO_MANY_ATTEMPTS")
    for body in ({}, {"username": None}, {"username": "a b"}):
        assert accounts.refused(post("request_activation", body)) == (400, "INVALID_REQUEST")

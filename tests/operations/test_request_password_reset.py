"""Asking for a code to reset a password, which tells nothing about users."""

from flowserverless.aws import cognito
from support import accounts


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
        assert accounts.refused(post("request_password_reset", {"username": "ada"})) == (429, "TOO_MANY_ATTEMPTS")

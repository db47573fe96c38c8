"""A new password by who knows the present one ends all other sessions."""

from flowserverless.store import revocations
from support import accounts, gateway


def test_no_session_outlives_another_password_but_the_one_that_begins(invoke, register, log_in, user_pool_calls):
    register("ada")
    before = [log_in() for _ in range(4)]
    answer = change(invoke, accounts.person(before[1].json), accounts.PASSWORD, "battery staple")
    assert all(accounts.is_refused(session) for session in before)
    assert not accounts.is_refused(answer)
    assert not accounts.is_refused(log_in("ada", "battery staple"))


def change(invoke, who, present, password):
    body = {"password": present, "newPassword": password}
    return gateway.answer(invoke("change_password", gateway.event("PUT", "/users/password", body=body, user=who)))


def test_a_password_is_changed_by_who_knows_it_and_all_other_sessions_end(invoke, register, log_in, user_pool_calls):
    handle = register("ada")
    session = log_in().json
    ada, before = accounts.person(session), accounts.claims(session["token"])
    answer = change(invoke, ada, accounts.PASSWORD, "battery staple")
    assert (answer.status, answer.json["id"]) == (200, handle["id"])
    assert set(answer.json) == {"id", "username", "token", "expiresAt"}
    assert log_in("ada", accounts.PASSWORD).status == 401
    assert log_in("ada", "battery staple").status == 200
    # No token can be told from another but by its second: all older ones are refused, of the change's second too.
    assert revocations.is_signed_out(ada.token, ada.id, before["auth_time"])
    new = accounts.claims(answer.json["token"])
    assert revocations.is_signed_out("any", ada.id, new["auth_time"] - 1)
    assert not revocations.is_signed_out(new["jti"], ada.id, new["auth_time"])
    # Whoever is given a token or proves a password gets no other key to the account.
    assert len({call["Token"] for call in user_pool_calls.calls}) == len(user_pool_calls.calls) >= 4


def test_a_wrong_present_password_changes_nothing(invoke, register, log_in, user_pool_calls, subtests):
    handle = register("ada")
    ada = accounts.person(log_in().json)
    assert accounts.refused(change(invoke, ada, "wrong horse", "battery staple")) == (400, "WRONG_PASSWORD")
    for code in ("NotAuthorizedException", "PasswordResetRequiredException", "UserNotFoundException"):
        with subtests.test(code), user_pool_calls.failing("InitiateAuth", code):
            assert accounts.refused(change(invoke, ada, accounts.PASSWORD, "battery staple")) == (400, "WRONG_PASSWORD")
    with user_pool_calls.failing("ChangePassword", "InvalidPasswordException"):
        assert accounts.refused(change(invoke, ada, accounts.PASSWORD, "battery staple")) == (400, "WEAK_PASSWORD")
    with user_pool_calls.failing("InitiateAuth", "TooManyRequestsException"):
        assert accounts.refused(change(invoke, ada, accounts.PASSWORD, "battery staple")) == (429, "TOO_MANY_ATTEMPTS")
    assert accounts.refused(change(invoke, ada, accounts.PASSWORD, "short")) == (400, "INVALID_REQUEST")
    assert log_in().status == 200
    assert not revocations.is_signed_out(ada.token, handle["id"], 0)

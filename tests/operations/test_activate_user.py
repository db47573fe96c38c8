"""Activating a user by the code from the e-mail."""

import pytest

from support import accounts


def test_an_address_is_verified_first(register, post, log_in, user_pool_calls):
    handle = register("ada", email="ada@example.org")
    assert handle["active"] is False
    assert accounts.states(user_pool_calls) == {"ada": "UNCONFIRMED"}
    assert accounts.refused(log_in()) == (401, "NOT_ACTIVE")
    answer = post("activate_user", {"userId": handle["id"], "code": "123456"})
    assert (answer.status, answer.json) == (200, {"id": handle["id"], "username": "ada"})
    assert log_in().status == 200


@pytest.mark.parametrize("by", ["userId", "id", "username"])
def test_a_user_is_activated_by_id_or_name(register, post, user_pool_calls, by):
    handle = register("ada", email="ada@example.org", verify=True)
    named = handle["username" if by == "username" else "id"]
    assert post("activate_user", {by: named, "code": "123456"}).json["username"] == "ada"
    assert accounts.states(user_pool_calls) == {"ada": "CONFIRMED"}


def test_nobody_gets_ones_own_password_activated_by_the_code_of_another(register, post, user_pool_calls):
    handle = register("ada", email="ada@example.org")
    again = {"username": "ada", "password": "evil horses", "email": "ada@example.org"}
    for email in ("ada@example.org", "Ada@Example.org", None):
        answer = post("register_user", again | {"email": email})
        assert accounts.refused(answer) == (409, "NAME_TAKEN")
        assert "can be sent again" in answer.json["detail"]
    # Nor by way of an address of one's own.
    register("ada", email="eve@example.org")
    assert accounts.refused(post("register_user", again)) == (409, "NAME_TAKEN")
    assert handle["id"] not in str(user_pool_calls.client.list_users(UserPoolId=user_pool_calls.pool))

"""Members of a group are found in the pool of users by id or name."""

import pytest

from flowserverless.aws import cognito
from flowserverless.domain import errors
from support import accounts


def test_members_are_found_by_id_or_name(register):
    ada, bob = (register(name)["id"] for name in ("ada", 'o"hara\\'))
    assert cognito.find(["ada", bob, bob.upper(), "ada"]) == {ada: "ada", bob: 'o"hara\\'}
    assert cognito.find([]) == {}


def test_all_unknown_members_are_named(register, user_pool_calls):
    register("ada")
    register("new", email="new@example.org")
    with pytest.raises(errors.InvalidRequest) as refusal:
        cognito.find(["ada", "eve", accounts.STRANGER, "new", "a b", ""])
    for name in ("eve", accounts.STRANGER, "new", "a b", "''"):
        assert name in refusal.value.detail
    assert "ada" not in refusal.value.detail.replace(accounts.STRANGER, "")


def test_somebody_called_like_the_id_of_another_is_not_taken_for_them(register, user_pool_calls):
    ada = register("ada")["id"]
    user_pool_calls.client.admin_create_user(UserPoolId=user_pool_calls.pool, Username=ada)
    assert cognito.find([ada]) == {ada: "ada"}


def test_an_overloaded_cognito_is_no_unknown_user(register, user_pool_calls):
    register("ada")
    with user_pool_calls.failing("AdminGetUser", "TooManyRequestsException"), pytest.raises(errors.OverQuota):
        cognito.find(["ada"])

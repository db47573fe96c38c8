"""Organisers end all sessions of a user."""

import base64
import json
import time

import pytest

from flowserverless.store import revocations
from support import accounts, gateway


def revoke(invoke, named, user=gateway.ORGANISER):
    path = "/users/{userId}/tokens"
    return gateway.answer(invoke("revoke_tokens", gateway.event("DELETE", path, {"userId": named}, user=user)))


@pytest.mark.parametrize("by", ["id", "username"])
def test_an_organiser_ends_all_sessions_of_a_user(invoke, register, log_in, by):
    handle = register("ada")
    since = accounts.claims(log_in().json["token"])["iat"]
    for _ in range(2):
        answer = revoke(invoke, handle[by])
        assert (answer.status, answer.json) == (200, {"id": handle["id"], "username": "ada"})
        assert revocations.is_signed_out("any", handle["id"], since)
        assert not revocations.is_signed_out("any", handle["id"], since + 60)
    assert not revocations.is_signed_out("any", accounts.STRANGER, since)


def test_sessions_of_a_deleted_user_are_ended_by_id(invoke, register, user_pool_calls):
    handle = register("ada")
    user_pool_calls.client.admin_delete_user(UserPoolId=user_pool_calls.pool, Username="ada")
    assert accounts.refused(revoke(invoke, "ada")) == (404, "UNKNOWN_USER")
    since = int(time.time())
    answer = revoke(invoke, handle["id"].upper())
    assert (answer.status, answer.json) == (200, {"id": handle["id"]})
    assert revocations.is_signed_out("any", handle["id"], since)


@pytest.mark.parametrize("named", ["eve", "a b", "x" * 400, "\u202eada", "a,b", '"', "Zoe\u0308"])
def test_there_are_no_sessions_of_nobody(invoke, user_pool_calls, named):
    assert revoke(invoke, named).status == 404


def test_only_organisers_end_sessions_of_others(invoke, register):
    handle = register("ada")
    for who in (gateway.ADA, accounts.person({"token": unsigned(handle["id"])})):
        assert accounts.refused(revoke(invoke, handle["id"], who)) == (403, "ORGANISERS_ONLY")
    assert not revocations.is_signed_out("any", handle["id"], 0)


def unsigned(user):
    said = {"sub": user, "username": "ada", "jti": "x", "exp": 4_102_444_800}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(said).encode()).decode()}.x"


def test_a_session_after_a_revocation_lives(invoke, register, log_in):
    register("ada")
    for _ in range(3):
        before = log_in()
        assert not accounts.is_refused(before)
        revoke(invoke, "ada")
        assert accounts.is_refused(before)
    assert not accounts.is_refused(log_in())

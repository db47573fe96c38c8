"""Signing out refuses the token that came, and no other."""

import time

from flowserverless.store import revocations
from flowserverless.store import table as stored
from support import accounts, gateway


def test_signing_out_refuses_the_token_that_came(invoke, table, register, log_in, subtests):
    register("ada")
    now = int(time.time())
    for body in (None, {}, "", "null", "no JSON", {"anything": 1}):
        with subtests.test(body=body):
            ada, again = (accounts.person(log_in().json) for _ in range(2))
            answer = accounts.sign_out(invoke, user=ada, body=body)
            assert (answer.status, answer.json) == (200, {"id": ada.id, "username": "ada"})
            assert revocations.is_signed_out(ada.token, ada.id, now)
            assert not revocations.is_signed_out(again.token, again.id, now)
            assert stored.get(stored.token(ada.token)).expires > ada.expires


def test_signing_out_twice_is_no_mistake(invoke, table):
    assert accounts.sign_out(invoke, user=gateway.ADA).status == 200
    assert accounts.sign_out(invoke, user=gateway.ADA).status == 200
    again = accounts.sign_out(invoke, problem="signed out")
    assert (again.status, again.json) == (200, {})

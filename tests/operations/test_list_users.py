"""Listing users by the beginning of their names, page by page."""

import json
from datetime import UTC, datetime

from botocore import awsrequest

from flowserverless.api import cursors, user_views
from flowserverless.aws import cognito
from flowserverless.operations import register as registering
from local import emulator
from support import accounts, gateway


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
        registering.user(name, accounts.PASSWORD, None, False, datetime.now(UTC))
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
        registering.user(f"user{number}", accounts.PASSWORD, None, False, datetime.now(UTC))
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
    assert accounts.refused(answer) == (429, "TOO_MANY_ATTEMPTS")
    assert len(listed(invoke, cursor=page["next"])["users"]) == 10


def test_a_made_up_cursor(invoke, register, user_pool_calls, subtests):
    register("ada")
    for at in ("x", "bm90IGpzb24", "WzFd", "W10", "eyJhIjoxfQ", "ü"):
        with subtests.test(at):
            asked = gateway.event("GET", "/users", query={"cursor": at}, user=gateway.ADA)
            assert accounts.refused(gateway.answer(invoke("list_users", asked))) == (400, "INVALID_CURSOR")
    asked = gateway.event(
        "GET", "/users", query={"cursor": cursors.write(user_views.LISTING, "made up")}, user=gateway.ADA
    )
    with user_pool_calls.failing("ListUsers", "InvalidParameterException"):
        assert accounts.refused(gateway.answer(invoke("list_users", asked))) == (400, "INVALID_CURSOR")


def test_limits_that_cannot_be(invoke, user_pool_calls, subtests):
    for limit in ("0", "1001", "-1", "x", "1.5"):
        with subtests.test(limit):
            asked = gateway.event("GET", "/users", query={"limit": limit}, user=gateway.ADA)
            assert accounts.refused(gateway.answer(invoke("list_users", asked))) == (400, "INVALID_REQUEST")

"""Deleting an account: its name is nowhere any more, and what its groups did stays."""

import json
import time

import pytest

from flowserverless.aws import cognito
from flowserverless.operations import leave
from flowserverless.store import group_items, revocations, workflow_items
from flowserverless.store import table as stored
from support import accounts, aws_clients, gateway, iam, packages, scenario


@pytest.fixture
def place(user_pool_calls, bucket):
    """A workflow in which groups can be made."""
    scenario.put_workflow("w", packages.ranked())


def found(identifier, owner, *others):
    """A group of users, straight in the table."""
    group = scenario.new_group("w", identifier, owner["id"])
    group_items.create(group, {user["id"]: user["username"] for user in (owner, *others)}, workflow_items.get("w"))


def depart(invoke, who, password=accounts.PASSWORD):
    body = {"password": password}
    return gateway.answer(invoke("delete_user", gateway.event("POST", "/users/delete", body=body, user=who)))


def everything():
    """All that the table holds, as text."""
    pages = aws_clients.of("dynamodb").get_paginator("scan").paginate(TableName=stored.Item.Meta.table_name)
    return json.dumps([page["Items"] for page in pages])


def names_in(identifier):
    group, people = group_items.with_members(identifier)
    owner = next((one.name for one in people if one.id == group.owner), None)
    return owner, sorted(one.name for one in people)


def test_an_account_is_deleted_and_its_name_is_nowhere(invoke, register, log_in, user_pool_calls, place):
    ada, bob, cy = register("ada-lovelace"), register("bob"), register("cy")
    found("mine", ada, cy, bob)
    found("theirs", bob, ada)
    found("alone", ada)
    me = accounts.person(log_in("ada-lovelace").json)
    since = int(time.time())
    answer = depart(invoke, me)
    assert (answer.status, answer.json) == (200, {"id": ada["id"], "username": "ada-lovelace"})
    assert sorted(accounts.states(user_pool_calls)) == ["bob", "cy"]
    assert log_in("ada-lovelace").status == 401
    assert revocations.is_signed_out("any", ada["id"], since)
    assert names_in("mine") == ("bob", ["bob", "cy"])
    assert names_in("theirs") == ("bob", ["bob"])
    assert names_in("alone") == (None, [])
    assert "lovelace" not in everything()
    assert register("ada-lovelace")["id"] != ada["id"]


def test_what_a_group_did_stays_when_its_only_member_leaves(invoke, register, log_in, place, state_machine):
    ada = register("ada")
    found("g", ada)
    run = scenario.put_run("w", "g")
    scenario.end_run(run, score=1.0)
    assert depart(invoke, accounts.person(log_in("ada").json)).status == 200
    board = gateway.answer(
        invoke("get_leaderboard", gateway.event("GET", "/workflows/{workflowId}/leaderboard", {"workflowId": "w"}))
    )
    assert [(row["run"]["id"], row["group"]["name"]) for row in board.json["ranking"]] == [(run, "Group g")]
    handle = gateway.answer(
        invoke("get_group", gateway.event("GET", "/groups/{groupId}", {"groupId": "g"}, user=gateway.ORGANISER))
    )
    assert (handle.status, handle.json["members"]) == (200, [])
    shown = gateway.event("GET", "/runs/{runId}", {"runId": run}, user=gateway.ORGANISER)
    assert gateway.answer(invoke("get_run", shown)).status == 200
    gone = gateway.event("DELETE", "/groups/{groupId}", {"groupId": "g"}, user=gateway.ORGANISER)
    assert gateway.answer(invoke("delete_group", gone)).status in (202, 204)


def test_a_token_alone_deletes_no_account(invoke, register, log_in, user_pool_calls, place):
    ada = register("ada")
    found("g", ada)
    me = accounts.person(log_in().json)
    assert accounts.refused(depart(invoke, me, "wrong horse")) == (400, "WRONG_PASSWORD")
    with user_pool_calls.failing("InitiateAuth", "TooManyRequestsException"):
        assert accounts.refused(depart(invoke, me)) == (429, "TOO_MANY_ATTEMPTS")
    assert names_in("g") == ("ada", ["ada"])
    assert log_in().status == 200
    assert not revocations.is_signed_out("any", ada["id"], 0)


def test_a_deletion_that_was_interrupted_is_repeated(invoke, register, log_in, user_pool_calls, place):
    ada = register("ada")
    found("g", ada)
    me = accounts.person(log_in().json)
    with user_pool_calls.failing("AdminDeleteUser", "InternalErrorException"):
        assert accounts.refused(depart(invoke, me)) == (500, "INTERNAL_ERROR")
    assert log_in().status == 200
    assert depart(invoke, me).status == 200
    assert accounts.states(user_pool_calls) == {}


def test_who_is_added_to_a_group_meanwhile_is_not_in_it(invoke, register, log_in, user_pool_calls, place, monkeypatch):
    ada, bob = register("ada"), register("bob")
    delete = cognito.delete

    def late(name):
        with iam.asked():
            found("late", bob, ada)
        delete(name)

    monkeypatch.setattr(cognito, "delete", late)
    assert depart(invoke, accounts.person(log_in().json)).status == 200
    assert names_in("late") == ("bob", ["bob"])


def test_a_group_that_changes_meanwhile_is_left_all_the_same(invoke, register, log_in, place, monkeypatch):
    ada, bob, cy = register("ada"), register("bob"), register("cy")
    found("g", ada, bob, cy)
    look = group_items.find
    others = iter([bob])

    def late(identifier):
        seen = look(identifier)
        for other in others:
            assert leave._leave("g", other["id"]) is None
        return seen

    monkeypatch.setattr(group_items, "find", late)
    assert depart(invoke, accounts.person(log_in().json)).status == 200
    assert names_in("g") == ("cy", ["cy"])


def test_more_groups_than_a_page_are_left(invoke, register, log_in, place, monkeypatch):
    ada = register("ada")
    for number in range(5):
        found(f"g{number}", ada)
    monkeypatch.setattr(leave, "GROUPS", 2)
    assert depart(invoke, accounts.person(log_in().json)).status == 200
    assert [names_in(f"g{number}") for number in range(5)] == [(None, [])] * 5

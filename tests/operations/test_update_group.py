"""Changing a group: its name, its members and its owner, one change after the other."""

import pytest

from flowserverless.domain import errors
from flowserverless.operations import update
from flowserverless.store import group_items
from support import gateway, packages, scenario, teams


@pytest.fixture
def world(world, user_pool):
    world.now = scenario.START
    scenario.put_workflow(
        "w", packages.ranked(parameters=[{"name": "data", "dtype": "file", "isRequired": False, "target": "data.csv"}])
    )
    teams.found(teams.ADA, teams.BOB)
    return world


@pytest.mark.long
def test_of_three_that_change_the_members_at_once_the_last_wins_and_the_limit_holds(world, everybody, interrupted):
    wanted = [["ada", *(person.name for person in teams.many(first))] for first in (0, 39, 78)]

    def second():
        return interrupted(lambda: teams.put(world, members=wanted[1]), lambda: teams.put(world, members=wanted[0]))

    (first, told), last = interrupted(lambda: teams.put(world, members=wanted[2]), second)
    assert [teams.names(first), teams.names(told), teams.names(last)] == wanted
    assert teams.members() == teams.linked() == wanted[2]
    assert teams.delete_it(world) == 204
    assert teams.left_of() == []


@pytest.mark.long
def test_all_members_but_the_owner_can_be_replaced_in_one_request(world, everybody):
    for first in (0, 39, 78):
        people = ["ada", *(person.name for person in teams.many(first))]
        assert teams.names(teams.put(world, members=people, name=f"Group {first}")) == people
        assert teams.members() == teams.linked() == people
    assert world.ask("get_group", "GET", *teams.GROUP).json["name"] == "Group 78"


def test_a_change_in_parts_that_comes_to_no_end_is_given_up(world, monkeypatch):
    rounds = []
    monkeypatch.setattr(group_items, "update", lambda *change: rounds.append(change))
    assert teams.put(world, name="Another", status=503)["code"] == errors.BUSY
    assert len(rounds) == update.ROUNDS


def test_a_refused_change_leaves_everything(world, everybody):
    teams.found(teams.EVE, identifier="h", owner=teams.EVE)
    teams.put(world, name="Group h", members=["ada", "eve"], status=409)
    teams.put(world, members=[person.name for person in teams.many(0, 41)], status=400)
    teams.put(world, members=[], status=400)
    assert teams.members() == teams.linked() == ["ada", "bob"]
    assert world.ask("get_group", "GET", *teams.GROUP).json["name"] == "Group g"


def test_a_name_that_is_taken_meanwhile_is_refused_and_one_given_twice_is_no_conflict(world, interrupted):
    rename = {"name": "Another"}
    _, told = interrupted(lambda: teams.put(world, **rename), lambda: teams.put(world, **rename))
    assert told["name"] == "Another"
    teams.found(teams.EVE, identifier="h", owner=teams.EVE)
    take = "/groups/{groupId}", {"groupId": "h"}
    theirs, _ = interrupted(
        lambda: teams.put(world, status=409, name="Third"),
        lambda: world.ask("update_group", "PUT", *take, body={"name": "Third"}, user=teams.EVE),
    )
    assert theirs.status == 200
    teams.put(world, name="Fourth")
    assert len([key for key in teams.left_of() if key[1].startswith("NAME#")]) == 2


def test_an_owner_hands_over_and_leaves_in_one_request_or_in_two(world):
    assert teams.put(world, owner="bob")["owner"]["username"] == "bob"
    left = teams.put(world, members=["bob"])
    assert left == {**left, "members": [], "files": [], "parameters": [], "config": None}
    assert teams.members() == teams.linked() == ["bob"]
    teams.put(world, teams.BOB, members=["bob"], owner="u-bob")
    assert teams.delete_it(world) == 403
    assert teams.delete_it(world, teams.BOB) == 204


def test_an_owner_leaves_to_a_new_member(world, everybody):
    teams.put(world, members=["eve"], owner="eve")
    assert teams.members() == ["eve"]
    assert world.ask("get_group", "GET", *teams.GROUP, user=teams.EVE).json["owner"]["id"] == "u-eve"


def test_a_group_is_never_without_its_owner(world):
    assert teams.put(world, members=["bob"], status=409)["code"] == "OWNER_LEFT_OUT"
    assert teams.put(world, teams.BOB, members=["bob"], status=409)["code"] == "OWNER_LEFT_OUT"
    assert teams.put(world, members=["ada"], owner="bob", status=400)["code"] == "OWNER_NOT_A_MEMBER"
    assert teams.put(world, members=["bob"], owner="ada", status=400)["code"] == "OWNER_NOT_A_MEMBER"
    assert teams.put(world, owner="nobody", status=400)["code"] == "UNKNOWN_USER"
    assert (teams.members(), group_items.get("g").owner) == (["ada", "bob"], gateway.ADA.id)


def test_only_the_owner_and_organisers_hand_over(world):
    assert teams.put(world, teams.BOB, owner="bob", status=403)["code"] == "OWNERS_ONLY"
    teams.put(world, teams.BOB, owner="ada")
    assert teams.put(world, gateway.ORGANISER, owner="bob")["owner"]["username"] == "bob"


def test_who_leaves_is_told_no_more_than_a_stranger(world):
    teams.upload(world)
    left = teams.put(world, teams.BOB, members=["ada"])
    assert left == {
        "id": "g",
        "name": "Group g",
        "workflow": "w",
        "members": [],
        "parameters": [],
        "files": [],
        "config": None,
    }
    assert world.ask("get_group", "GET", *teams.GROUP, user=teams.BOB).status == 403


def test_a_member_stays_whose_account_is_gone(world):
    assert teams.names(teams.put(world, members=["ada", "bob"], name="Ours")) == ["ada", "bob"]
    assert teams.names(teams.put(world, members=[gateway.ADA.id, "u-bob"], name="Theirs")) == ["ada", "bob"]

"""Deleting a group: all that is its goes, and nothing of it is found in the next of its identifier."""

import itertools

import pytest

from flowserverless.operations import delete
from flowserverless.store import bucket, group_items
from support import gateway, moto_state, packages, scenario, teams


@pytest.fixture
def world(world, user_pool):
    world.now = scenario.START
    scenario.put_workflow(
        "w", packages.ranked(parameters=[{"name": "data", "dtype": "file", "isRequired": False, "target": "data.csv"}])
    )
    teams.found(teams.ADA, teams.BOB)
    return world


@pytest.mark.long
def test_what_is_under_way_when_a_group_is_deleted_does_not_reach_the_next_of_its_identifier(
    world, interrupted, subtests
):
    act, beginning = teams.acts(world, teams.BOB), moto_state.Snapshot()
    for name in act.keys() - {"cancel_run"}:
        with subtests.test(name):
            beginning.restore()

            def deletion_and_another():
                (active,) = [run.id for run in scenario.runs_of("g") if run.active]
                world.cancel(active)
                assert teams.delete_it(world) == 204
                assert teams.left_of() == []
                teams.found(teams.EVE, owner=teams.EVE)
                return teams.left_of()

            fresh, status = interrupted(act[name], deletion_and_another)
            assert status in (403, 404, 409)
            assert teams.left_of() == fresh
            assert teams.members() == ["eve"]
            handle = world.ask("get_group", "GET", *teams.GROUP, user=teams.EVE).json
            assert (handle["files"], handle["runs"]) == ([], [])
            assert world.ask("get_group", "GET", *teams.GROUP, user=teams.BOB).status == 403


@pytest.mark.long
def test_what_is_done_while_a_deletion_begins_is_deleted_or_keeps_the_group(world, interrupted, subtests):
    act = teams.acts(world, teams.BOB)
    world.cancel(next(run.id for run in scenario.runs_of("g") if run.active))
    beginning = moto_state.Snapshot()
    for name in act.keys() - {"cancel_run"}:
        with subtests.test(name):
            beginning.restore()
            done, status = interrupted(lambda: teams.delete_it(world), act[name])
            assert done < 300
            starts = name.startswith("start_run")
            assert status == (409 if starts else 204)
            if not starts:
                assert teams.left_of() == []
                world.wait(100_000)
                world.reconcile()
                world.carry_out_removals()
                assert list(bucket.listing("uploads/")) == []


@pytest.fixture
def full(world):
    """A group with more than one batch of everything."""
    for _ in range(12):
        world.succeed(world.started("g"), 0.5)
    for number in range(5):
        teams.upload(world, body={"name": f"{number}.csv", "size": number, "sha256": f"{number}" * 64})
    teams.upload(world)
    world.try_start("g", "once")
    world.cancel(scenario.runs_of("g")[0].id)
    return world


@pytest.mark.long
def test_a_large_group_is_deleted_in_batches_and_closed_meanwhile(full, monkeypatch, everybody):
    monkeypatch.setattr(delete, "SECONDS", 0)
    assert teams.delete_it(full) == 202
    for person, status in ((teams.BOB, 404), (teams.ADA, 404), (teams.EVE, 403), (gateway.ORGANISER, 404)):
        assert full.ask("get_group", "GET", *teams.GROUP, user=person).status == status
        assert full.ask("update_group", "PUT", *teams.GROUP, user=person, body={"name": "Ours"}).status == status
        assert full.try_start("g", user=person).status == status
        assert teams.upload(full, person).status == status
    assert full.ask("list_groups", "GET", "/groups").json["groups"] == []
    place = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    for body in ({"name": "New", "identifier": "g"}, {"name": "Group g"}):
        assert full.ask("create_group", "POST", *place, body=body, user=teams.EVE).status == 409
    answers = list(itertools.takewhile(lambda status: status == 202, (teams.delete_it(full) for _ in range(20))))
    assert 1 <= len(answers) < 20
    assert teams.left_of() == []
    full.carry_out_removals()
    assert list(bucket.listing("runs/")) == []
    again = {"name": "Group g", "identifier": "g"}
    assert full.ask("create_group", "POST", *place, body=again, user=teams.EVE).status == 201


@pytest.mark.long
def test_a_deletion_that_nobody_asks_for_again_is_carried_on(full, monkeypatch):
    monkeypatch.setattr(delete, "SECONDS", 0)
    assert teams.delete_it(full) == 202
    full.carry_out_removals()
    full.carry_out_removals()
    assert teams.left_of() == []
    assert "GROUP" not in scenario.due()


def test_a_group_with_more_members_than_there_may_be_can_be_deleted(world):
    group = group_items.get("g")
    for person in teams.many(0, 118):
        scenario.enrol("g", person.id, person.name)
        scenario.show_group_to(group, person.id)
    assert teams.delete_it(world) == 204
    assert teams.left_of() == []
    assert teams.linked() == []


def test_only_an_owner_who_still_is_one_deletes(world, interrupted):
    handed, status = interrupted(lambda: teams.delete_it(world), lambda: teams.put(world, owner="bob"))
    assert handed["owner"] == {"id": "u-bob", "username": "bob"}
    assert status == 403
    assert teams.members() == ["ada", "bob"]

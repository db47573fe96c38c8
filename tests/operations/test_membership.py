"""Members who are removed while they act, over all operations on what is their group's."""

import pytest

from flowserverless.store import bucket, table
from support import aws_clients, gateway, moto_state, packages, scenario, teams


@pytest.fixture
def world(world, user_pool):
    world.now = scenario.START
    scenario.put_workflow(
        "w", packages.ranked(parameters=[{"name": "data", "dtype": "file", "isRequired": False, "target": "data.csv"}])
    )
    teams.found(teams.ADA, teams.BOB)
    return world


def everything():
    """What is stored of the group, but for who changed it when."""
    items = aws_clients.of("dynamodb").scan(TableName=table.Item.Meta.table_name)["Items"]
    objects = sorted(found.key for found in bucket.listing(""))
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"])), objects


def test_who_is_removed_while_they_act_does_nothing_any_more(world, interrupted, subtests):
    act, beginning = teams.acts(world, teams.BOB), moto_state.Snapshot()
    for name in act:
        with subtests.test(name):
            beginning.restore()
            left = []

            def removal(left=left):
                handle = teams.put(world, members=["ada"])
                left.append(everything())
                return teams.names(handle)

            assert interrupted(act[name], removal) == (["ada"], 403)
            assert [everything()] == left
            assert teams.members() == teams.linked() == ["ada"]


def test_what_a_member_did_before_they_were_removed_stays(world, interrupted, subtests):
    act, beginning = teams.acts(world, teams.BOB), moto_state.Snapshot()
    for name in act:
        with subtests.test(name):
            beginning.restore()
            status, handle = interrupted(lambda: teams.put(world, members=["ada"]), act[name])
            assert status < 300
            assert teams.names(handle) == ["ada"]
            assert teams.members() == teams.linked() == ["ada"]


def test_an_organiser_acts_without_being_a_member(world, subtests):
    for name, act in teams.acts(world, gateway.ORGANISER).items():
        with subtests.test(name):
            assert act() < 300

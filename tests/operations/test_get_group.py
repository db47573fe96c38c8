"""What is shown of a group."""

import pytest

from support import gateway, packages, scenario, teams


@pytest.fixture
def world(world, user_pool):
    world.now = scenario.START
    scenario.put_workflow(
        "w", packages.ranked(parameters=[{"name": "data", "dtype": "file", "isRequired": False, "target": "data.csv"}])
    )
    teams.found(teams.ADA, teams.BOB)
    return world


def test_a_group_says_who_owns_it(world):
    place = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    created = world.ask("create_group", "POST", *place, body={"name": "New"}, user=teams.EVE).json
    assert created["owner"] == {"id": "u-eve", "username": "eve"}
    shown = world.ask("get_group", "GET", *teams.GROUP, user=teams.BOB).json
    assert shown["owner"] == {"id": gateway.ADA.id, "username": "ada"}

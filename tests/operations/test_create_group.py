"""A group with parameters of its own can start a run, or is not created."""

import pytest

from flowserverless.store import group_items
from support import packages

ROUTE = "create_group", "POST", "/workflows/{workflowId}/groups", {"workflowId": "bench"}
PARAMETER = {"name": "n", "dtype": "int", "defaultValue": 1}


@pytest.fixture
def world(world):
    world.publish({"workflow": {"steps": [packages.STEP]}, "parameters": [PARAMETER]})
    return world


def declared(count, text):
    return [{"name": f"p{number}", "dtype": "string", "defaultValue": "x", "help": text} for number in range(count)]


@pytest.mark.parametrize(
    ("own", "fits"),
    [
        (declared(190, "h" * 500), True),
        (declared(190, "h" * 1000), False),
        (declared(190, "é" * 250), True),
        (declared(190, "機" * 1000), False),
        (declared(200, ""), True),
        ([{"name": f"s{n}", "dtype": "select", "values": [{"value": v} for v in range(500)]} for n in range(6)], False),
        ([{"name": "n", "dtype": "int", "range": "(0,1)"}], False),
    ],
    ids=["long", "too long", "not ASCII", "not ASCII and too long", "many", "many values", "an empty range"],
)
def test_a_group_that_is_created_can_start_a_run(world, own, fits):
    body = {"name": "Own", "identifier": "own", "parameters": own}
    if fits:
        world.call(*ROUTE, 201, body=body)
        world.start("own", arguments=[])
    else:
        refused = world.call(*ROUTE, 400, body=body).json
        assert refused["code"] == "INVALID_PARAMETERS"
        with pytest.raises(group_items.errors.NotFound):
            group_items.get("own")


def test_a_workflow_that_no_run_can_start_is_refused_when_it_is_published(world):
    needed = [{"name": f"f{n}", "dtype": "file"} for n in range(91)]
    template = {"workflow": {"steps": [packages.STEP]}, "parameters": needed}
    world.put("inbox/workflows/other.zip", packages.package(template))
    report = world.invoke("publish_workflow", packages.dropped(world.bucket, "inbox/workflows/other.zip"))
    assert report["status"] == "rejected"
    (fault,) = report["faults"]
    assert fault["place"] == "workflow.json parameters"
    assert "require 91 files" in fault["message"]


def test_a_group_cannot_ask_for_resources_that_the_installation_does_not_have(world):
    body = {"name": "Own", "identifier": "own", "config": {"resources": {"vcpu": 2}}}
    refused = world.call(*ROUTE, 400, body=body).json
    assert "needs AWS Batch" in refused["detail"]

"""Where notebook steps can be published and started, and what their manifests say."""

import json

import pytest

from flowserverless.store import workflow_items
from support import packages

TEMPLATE = {
    "workflow": {
        "parameters": {"n": "$[[n]]", "rate": "$[[rate]]", "shown": "$[[shown]]"},
        "steps": [
            {
                "name": "draw",
                "files": {"inputs": ["data/"], "outputs": ["plots/"]},
                "action": {
                    "notebook": "books/draw.ipynb",
                    "output": "drawn/draw.ipynb",
                    "params": ["n", "rate", "visible"],
                    "variables": [{"arg": "visible", "var": "shown"}],
                },
            }
        ],
    },
    "parameters": [
        {"name": "n", "dtype": "int"},
        {"name": "rate", "dtype": "float", "defaultValue": 0.5},
        {"name": "shown", "dtype": "bool", "defaultValue": True},
    ],
}
FILES = {"books/draw.ipynb": b"{}", "data/points.csv": b"1,2", "more.txt": b"unwanted"}
KEY = "inbox/workflows/bench.zip"
ARGUMENTS = [{"name": "n", "value": 3}]


@pytest.fixture
def register(world):
    """Publish the template with its files; the report."""

    def call():
        world.put(KEY, packages.package(TEMPLATE, FILES))
        return world.invoke("publish_workflow", packages.dropped(world.bucket, KEY))

    return call


@pytest.fixture
def group(register, world, monkeypatch):
    """A group of the workflow, in an installation with notebooks."""
    monkeypatch.setenv("NOTEBOOKS", "true")
    assert register()["status"] == "accepted"
    body = {"name": "Group", "identifier": "bench"}
    return world.call("create_group", "POST", "/workflows/{workflowId}/groups", {"workflowId": "bench"}, body=body)


@pytest.mark.parametrize("asked", [None, "false"])
def test_without_the_layer_a_notebook_cannot_be_published(register, world, monkeypatch, asked):
    if asked:
        monkeypatch.setenv("NOTEBOOKS", asked)
    report = register()
    assert report["status"] == "rejected"
    (fault,) = report["faults"]
    assert "is a notebook, and this installation was deployed without papermill" in fault["message"]
    assert world.listed("workflows/") == []


def test_a_notebook_gets_its_own_file_and_values_and_delivers_what_was_executed(world, group):
    run = world.start(arguments=ARGUMENTS)["id"]
    event = {
        "run": run,
        "workflow": "bench",
        "version": workflow_items.get("bench").version,
        "step": 0,
        "outcome": None,
    }
    world.invoke("stage_step", event)
    manifest = json.loads(world.get(f"runs/{run}/manifests/000.json"))
    assert [one["path"] for one in manifest["inputs"]] == ["books/draw.ipynb", "data/points.csv"]
    assert (manifest["outputs"], manifest["always"]) == (["plots/"], ["drawn/draw.ipynb"])
    assert manifest["values"] == {"n": 3, "rate": 0.5, "shown": True}
    assert manifest["notebook"] == {
        "notebook": "books/draw.ipynb",
        "output": "drawn/draw.ipynb",
        "params": ["n", "rate", "visible"],
        "variables": {"n": "n", "rate": "rate", "visible": "shown"},
    }


def test_once_the_layer_is_gone_no_run_is_started(world, group, monkeypatch):
    monkeypatch.setenv("NOTEBOOKS", "false")
    resource, body = "/groups/{groupId}/runs", {"arguments": ARGUMENTS}
    answer = world.call("start_run", "POST", resource, {"groupId": "bench"}, 400, body=body)
    assert "step 'draw' is a notebook, and this installation was deployed without papermill" in answer.json["detail"]
    assert world.listed("runs/") == []

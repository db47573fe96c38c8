"""Staging a step: the run says where it is, and the step's order says what it may take and give, while it may."""

import json
import urllib.parse

import pytest

from flowserverless.domain import errors
from flowserverless.store import run_items, workflow_items
from support import gateway, packages, scenario

OUTCOME = {
    **scenario.SUCCEEDED,
    "python": "3.13.1",
    "startedAt": scenario.stamp(1),
    "finishedAt": scenario.stamp(2),
}
TWO = [packages.STEP, {"name": "rest", "action": {"environment": "python:3.13", "commands": ["echo rest"]}}]


@pytest.fixture
def world(world):
    world.now = scenario.START
    scenario.put_workflow("w", {"workflow": {"steps": TWO}})
    scenario.put_groups("w", "g")
    return world


@pytest.fixture
def run(world):
    return world.started("g", config={"timeoutSeconds": 100})


@pytest.fixture
def event(run):
    return event_of(run)


def event_of(run):
    stored = run_items.get(run)
    return {"run": run, "workflow": stored.workflow, "version": stored.version, "step": 0, "outcome": None}


def order(world, run, step=0):
    return json.loads(world.get(f"runs/{run}/manifests/{step:03d}.json"))


def told(run):
    """Where the run says that it is."""
    now = run_items.get(run)
    return str(now.state), [str(step.state) for step in now.steps]


def test_a_run_begins_with_its_first_step(world, run, event):
    world.wait(5)
    answer = world.invoke("stage_step", event)
    assert list(answer) == ["manifestUrl"]
    assert urllib.parse.urlsplit(answer["manifestUrl"]).path.endswith(f"/runs/{run}/manifests/000.json")
    assert told(run) == ("RUNNING", ["RUNNING", "PENDING"])
    begun = run_items.get(run)
    assert begun.started_at == begun.steps[0].started_at == scenario.moment(5)


def test_an_order_is_of_this_step_of_this_run_alone(world, run, event):
    world.invoke("stage_step", event)
    world.invoke("stage_step", {**event, "step": 1, "outcome": OUTCOME})
    for step, (name, command) in enumerate([("work", "true"), ("rest", "echo rest")]):
        written = order(world, run, step)
        assert (written["run"], written["step"], written["name"]) == (run, step, name)
        assert written["commands"] == [command]
        assert written["upload"]["prefix"] == f"runs/{run}/files/"
        assert written["log"]["key"] == f"runs/{run}/logs/{step:03d}.txt"
        assert written["tree"]["key"] == f"runs/{run}/trees/{step:03d}.json"
        assert urllib.parse.urlsplit(written["cancelUrl"]).path.endswith(f"/runs/{run}/canceled")


def test_a_step_records_what_became_of_the_one_before(world, run, event):
    world.invoke("stage_step", event)
    world.wait(5)
    world.invoke("stage_step", {**event, "step": 1, "outcome": OUTCOME})
    assert told(run) == ("RUNNING", ["SUCCESS", "RUNNING"])
    first, second = run_items.get(run).steps
    assert (first.started_at, first.finished_at) == (scenario.moment(1), scenario.moment(2))
    assert (first.exit_code, first.python) == (0, "3.13.1")
    assert second.started_at == scenario.moment(5)


def test_a_step_has_the_time_that_its_run_has_left(world, run, event):
    world.wait(40)
    world.invoke("stage_step", event)
    assert order(world, run)["limits"]["seconds"] == 60
    world.wait(100)
    world.invoke("stage_step", event)
    assert order(world, run)["limits"]["seconds"] == 1


def test_the_same_event_twice_changes_nothing(world, run, event):
    first = world.invoke("stage_step", event)
    before, written = run_items.get(run), order(world, run)
    world.wait(5)
    again = world.invoke("stage_step", event)
    assert run_items.get(run) == before
    assert urllib.parse.urlsplit(again["manifestUrl"]).path == urllib.parse.urlsplit(first["manifestUrl"]).path
    assert order(world, run)["limits"]["seconds"] == written["limits"]["seconds"] - 5


@pytest.mark.parametrize("ending", ["canceled", "failed"])
def test_no_step_of_a_run_that_has_ended_begins(world, run, event, ending):
    if ending == "canceled":
        world.cancel(run)
    else:
        world.end(run, None, failure={"Error": "States.Timeout", "Cause": ""})
    before = run_items.get(run)
    with pytest.raises(errors.Conflict) as refused:
        world.invoke("stage_step", event)
    assert refused.value.code == errors.RUN_IS_FINAL
    assert run_items.get(run) == before
    assert world.listed(f"runs/{run}/manifests/") == []


def test_no_step_of_a_run_that_ends_at_the_same_moment_begins(world, run, event, monkeypatch):
    save = run_items.save_progress
    monkeypatch.setattr(run_items, "save_progress", lambda progress: world.cancel(run) and save(progress))
    with pytest.raises(errors.Conflict) as refused:
        world.invoke("stage_step", event)
    assert refused.value.code == errors.RUN_IS_FINAL
    assert told(run) == ("CANCELED", ["PENDING", "PENDING"])
    assert world.listed(f"runs/{run}/manifests/") == []


def test_no_step_of_a_deleted_run_begins(world, run, event):
    world.cancel(run)
    world.delete(run)
    world.carry_out_removals()
    with pytest.raises(errors.NotFound):
        world.invoke("stage_step", event)
    assert scenario.objects(run) == []
    assert scenario.runs_of("g") == []


def test_a_version_that_there_is_not_is_no_run_of_it(world, run, event):
    with pytest.raises(errors.NotFound):
        world.invoke("stage_step", {**event, "version": "0" * 16})
    assert told(run) == ("PENDING", ["PENDING", "PENDING"])


@pytest.fixture
def post_processing(world):
    """A run over one ranked run."""
    scenario.put_workflow("p", packages.ranked(postproc=packages.POST_PROCESSING))
    scenario.put_groups("p", "h")
    world.succeed(world.started("h"), 0.5)
    return world.invoke("post_process", {"workflow": "p"})["started"]


def test_post_processing_is_of_the_ranking_when_its_first_step_begins(world, post_processing):
    run = post_processing
    best = world.started("h")
    world.succeed(best, 0.6)
    world.invoke("stage_step", event_of(run))
    assert run_items.get(run).ranking_version == workflow_items.get("p").ranking_version == 2
    assert [ranked["id"] for ranked in json.loads(world.get(f"runs/{run}/inputs/runs.json"))] == [best]


def test_canceled_post_processing_takes_no_snapshot_of_the_ranking(world, post_processing):
    place = "/runs/{runId}", {"runId": post_processing}
    world.call("cancel_run", "PUT", *place, user=gateway.ORGANISER)
    with pytest.raises(errors.Conflict) as refused:
        world.invoke("stage_step", event_of(post_processing))
    assert refused.value.code == errors.RUN_IS_FINAL
    assert world.listed(f"runs/{post_processing}/inputs/") == []

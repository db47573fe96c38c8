"""The end of a run: outcome or failure become its state, its files and its place in one moment, and only once."""

import pytest

from flowserverless.store import run_items, workflow_items
from support import moto_state, packages, scenario

OUTCOME = {**scenario.SUCCEEDED, "startedAt": scenario.stamp(1), "finishedAt": scenario.stamp(2)}


@pytest.fixture
def world(world):
    world.now = scenario.START
    scenario.put_workflow("w", packages.ranked())
    scenario.put_groups("w", "g")
    return world


@pytest.fixture
def run(world):
    """A run whose step has begun."""
    run = world.started("g")
    world.stage(run)
    world.wait(5)
    return run


def answer_of(run, state, changed):
    return {"run": run, "workflow": "w", "state": state, "rankingChanged": changed}


def version():
    return workflow_items.get("w").ranking_version


def test_a_run_succeeds_with_its_files_and_its_place(world, run):
    world.write_score(run, 0.5)
    before = version()
    assert world.end(run, OUTCOME) == answer_of(run, "SUCCESS", True)
    handle = world.run(run)
    assert (handle["state"], handle["finishedAt"]) == ("SUCCESS", scenario.stamp(5))
    assert [file["name"] for file in handle["files"]] == ["results/score.json"]
    assert handle["ranking"] == {"status": "ranked", "rank": 1}
    assert handle["archive"]["size"] == len(world.get(f"runs/{run}/archive.tar.gz"))
    assert version() == before + 1
    assert scenario.active_runs("g") == 0
    assert scenario.due() == {}
    (step,) = run_items.get(run).steps
    assert (str(step.state), step.exit_code) == ("SUCCESS", 0)
    assert (step.started_at, step.finished_at) == (scenario.moment(1), scenario.moment(2))


def test_a_worse_run_of_the_group_leaves_the_ranking_as_it_is(world, run):
    assert world.succeed(run, 0.5)["rankingChanged"]
    before, worse = version(), world.started("g")
    assert world.succeed(worse, 0.4) == answer_of(worse, "SUCCESS", False)
    assert version() == before


def test_a_run_fails_as_its_step_and_keeps_what_was_left(world, run):
    world.write_score(run, 0.5)
    assert world.end(run, {**scenario.FAILED, "messages": ["said so"]}) == answer_of(run, "ERROR", False)
    handle = world.run(run)
    assert handle["reason"] == scenario.FAILED["reason"]
    assert handle["messages"] == [scenario.FAILED["reason"]["detail"], "said so"]
    assert [(step["state"], step["exitCode"]) for step in handle["steps"]] == [("ERROR", 3)]
    assert [file["name"] for file in handle["files"]] == ["results/score.json"]
    assert "ranking" not in handle


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        ("States.Timeout", "", "TIMEOUT"),
        ("Runtime.ExitError", "signal: killed", "OUT_OF_MEMORY"),
        ("Lambda.ServiceException", "down", "SYSTEM_ERROR"),
    ],
)
def test_a_failure_instead_of_an_outcome_is_the_reason(world, run, error, cause, code):
    world.write_score(run, 0.5)
    told = world.end(run, None, failure={"Error": error, "Cause": cause})
    assert told == answer_of(run, "ERROR", False)
    ended = run_items.get(run)
    assert (ended.reason.code, ended.messages) == (code, (ended.reason.detail,))
    assert (str(ended.steps[0].state), ended.steps[0].finished_at) == ("ERROR", scenario.moment(5))
    assert scenario.active_runs("g") == 0


def test_a_run_whose_step_was_told_to_stop_is_canceled(world, run):
    reason = {"code": "CANCELED", "detail": "the run was canceled"}
    assert world.end(run, {**scenario.FAILED, "reason": reason}) == answer_of(run, "CANCELED", False)
    assert str(run_items.get(run).steps[0].state) == "CANCELED"


def test_success_without_a_declared_output_is_an_error(world, run):
    assert world.end(run, OUTCOME) == answer_of(run, "ERROR", False)
    reason = run_items.get(run).reason
    assert reason.code == "OUTPUT_MISSING"
    assert "'results/score.json'" in reason.detail


def test_the_same_event_twice_ends_a_run_once(world, run):
    assert world.succeed(run, 0.5) == answer_of(run, "SUCCESS", True)
    before, ranked, archive = run_items.get(run), version(), world.get(f"runs/{run}/archive.tar.gz")
    world.wait(5)
    assert world.succeed(run, 0.9) == answer_of(run, "SUCCESS", False)
    assert run_items.get(run) == before
    assert world.get(f"runs/{run}/archive.tar.gz") == archive
    assert version() == ranked
    assert scenario.active_runs("g") == 0


def test_what_has_ended_stays_as_it_is(world, run):
    world.cancel(run, "enough")
    before = run_items.get(run)
    world.wait(5)
    assert world.succeed(run, 0.5) == answer_of(run, "CANCELED", False)
    assert run_items.get(run) == before
    assert version() == 0
    assert world.listed(f"runs/{run}/archive") == []


def test_a_run_that_is_canceled_at_the_same_moment_stays_canceled(world, run, interrupted):
    _, told = interrupted(lambda: world.succeed(run, 0.5), lambda: world.cancel(run, "enough"))
    assert told == answer_of(run, "CANCELED", False)
    assert run_items.get(run).reason.detail == "enough"
    assert version() == 0
    assert scenario.active_runs("g") == 0


def test_a_deleted_run_stays_deleted_and_what_its_step_wrote_is_removed(world, run):
    world.cancel(run)
    world.delete(run)
    world.carry_out_removals()
    assert world.succeed(run, 0.5) == {"run": run, "state": "DELETED"}
    assert scenario.runs_of("g") == []
    assert moto_state.inputs()[f"{run}-again"] == {"run": run}
    world.carry_out_removals()
    assert scenario.objects(run) == []


def test_an_execution_that_was_stopped_ends_no_run_but_has_its_files_listed(world, run):
    world.write_score(run, 0.5)
    world.tell(run, "ABORTED", to="update_run")
    assert run_items.get(run).active
    world.cancel(run)
    assert run_items.get(run).files == ()
    world.tell(run, "ABORTED", to="update_run")
    ended = run_items.get(run)
    assert (str(ended.state), [file.path for file in ended.files]) == ("CANCELED", ["results/score.json"])
    assert scenario.due() == {}


def test_a_run_succeeds_without_the_archive_that_could_not_be_built(world, run):
    world.write_score(run, 0.5)
    assert world.end(run, OUTCOME, archive=False) == answer_of(run, "SUCCESS", True)
    assert run_items.get(run).archive.detail
    assert world.listed(f"runs/{run}/archive") == []

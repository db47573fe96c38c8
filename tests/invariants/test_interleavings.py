"""Two at once on one run: whoever writes first wins, and the other is told what the run has become."""

import itertools

import pytest

from flowserverless.domain import errors
from flowserverless.store import run_items, transactions, workflow_items
from support import moto_state, ranking_model, scenario

ENDS = {"cancel": "CANCELED", "succeed": "SUCCESS", "fail": "ERROR", "reconcile": "ERROR"}
REASONS = {"cancel": "CANCELED", "succeed": None, "fail": "STEP_FAILED", "reconcile": "SYSTEM_ERROR"}


@pytest.fixture
def world(world):
    world.now = scenario.START
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    return world


@pytest.fixture
def run(world):
    """A run whose step has left a score."""
    started = world.started("a")
    world.stage(started)
    world.write_score(started, 0.5)
    return started


@pytest.fixture
def beginnings(run):
    """Go through cases, each from the same beginning."""

    def go(cases):
        beginning = moto_state.Snapshot()
        for case in cases:
            beginning.restore()
            yield case

    return go


def acts(world, run):
    """What may happen to the run; each answers `won`, or the state that it was told the run is in."""

    def by_person(answer, good):
        if answer.status == good:
            return "won"
        if answer.status == 404:
            return "DELETED"
        assert answer.status == 409
        return answer.json["detail"].removeprefix(f"run {run} is ").split(" ")[0].strip(";")

    def by_execution(answer, state):
        return "won" if answer["state"] == state else answer["state"]

    def by_reconciler():
        moto_state.end_execution(run, "ABORTED")
        if world.tell(run, "ABORTED")["runs"]:
            return "won"
        try:
            return str(run_items.get(run).state)
        except errors.NotFound:
            return "DELETED"

    return {
        "cancel": lambda: by_person(world.cancel(run), 200),
        "succeed": lambda: by_execution(world.end(run), "SUCCESS"),
        "fail": lambda: by_execution(world.end(run, scenario.FAILED), "ERROR"),
        "reconcile": by_reconciler,
        "delete": lambda: by_person(world.delete(run), 204),
    }


def test_of_two_that_end_a_run_at_once_the_first_does(world, run, interrupted, beginnings):
    act = acts(world, run)
    for first, second in beginnings(itertools.permutations(ENDS, 2)):
        told = interrupted(act[second], rival=act[first])
        # An execution that wants ERROR and finds ERROR need not care whose it is.
        agreed = (first, second) == ("reconcile", "fail")
        assert told == ("won", "won" if agreed else ENDS[first]), (first, second)
        ended = run_items.get(run)
        assert (ended.state, ended.reason and ended.reason.code) == (ENDS[first], REASONS[first])
        assert scenario.active_runs("a") == 0
        assert workflow_items.get("w").ranking_version == (first == "succeed")
        ranking_model.check("w", ranking_model.succeeded("a", {run: 0.5}))


def test_the_same_twice_at_once_is_once(world, run, interrupted, beginnings):
    act = acts(world, run)
    for name in beginnings(ENDS):
        first, second = interrupted(act[name], rival=act[name])
        assert (first, second) in {("won", ENDS[name]), ("won", "won")}, name
        assert run_items.get(run).state == ENDS[name]
        assert scenario.active_runs("a") == 0
        assert workflow_items.get("w").ranking_version == (name == "succeed")
        ranking_model.check("w", ranking_model.succeeded("a", {run: 0.5}))


def test_an_active_run_is_not_deleted_by_who_comes_while_it_ends(world, run, interrupted, beginnings):
    act = acts(world, run)
    for name in beginnings(ENDS):
        assert interrupted(act[name], rival=act["delete"]) == ("RUNNING", "won"), name
        assert run_items.get(run).state == ENDS[name]
        ranking_model.check("w", ranking_model.succeeded("a", {run: 0.5}))
        assert act["delete"]() == "won"
        ranking_model.check("w", [])


def test_what_comes_while_a_run_is_deleted_finds_it_final_and_after_it_gone(world, run, interrupted, beginnings):
    act = acts(world, run)
    assert act["succeed"]() == "won"
    for name in beginnings(ENDS):
        told = interrupted(act["delete"], rival=act[name])
        assert told == ("won" if name == "succeed" else "SUCCESS", "won"), name
        with pytest.raises(errors.NotFound):
            run_items.get(run)
        assert act[name]() == "DELETED"
        assert scenario.active_runs("a") == 0
        assert workflow_items.get("w").ranking_version == 2
        ranking_model.check("w", [])


def test_two_that_delete_a_run_at_once_delete_it_once(world, run, interrupted):
    act = acts(world, run)
    assert act["succeed"]() == "won"
    assert interrupted(act["delete"], rival=act["delete"]) == ("won", "DELETED")
    assert workflow_items.get("w").ranking_version == 2
    ranking_model.check("w", [])
    assert scenario.due() == {"GONE": 1}


def test_a_step_that_is_staged_while_its_run_is_canceled_does_not_begin(world, monkeypatch):
    run = world.started("a")
    save, told = run_items.save_progress, []

    def late(progress):
        told.append(world.cancel(run).status)
        return save(progress)

    monkeypatch.setattr(run_items, "save_progress", late)
    with pytest.raises(errors.Conflict):
        world.stage(run)
    assert told == [200]
    assert (run_items.get(run).state, run_items.get(run).steps[0].state) == ("CANCELED", "PENDING")


def test_a_run_that_is_canceled_while_it_is_started_is_not_executed(world, monkeypatch):
    commit, told = transactions.commit, []

    def early(compose):
        commit(compose)
        monkeypatch.setattr(transactions, "commit", commit)
        (run,) = scenario.runs_of("a")
        told.append(world.cancel(run.id).status)

    monkeypatch.setattr(transactions, "commit", early)
    run = world.started("a")
    assert told == [200]
    with pytest.raises(errors.Conflict):
        world.stage(run)
    assert world.end(run, failure={"Error": "Conflict", "Cause": "it has ended"})["state"] == "CANCELED"
    assert scenario.active_runs("a") == 0

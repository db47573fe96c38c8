"""Canceling a run: its state first, then its step and its execution; once, and by those whose run it is."""

import pytest

from flowserverless.aws import step_functions
from flowserverless.store import bucket, due, run_items
from support import gateway, moto_state, packages, scenario


@pytest.fixture
def world(world):
    world.now = scenario.START
    scenario.put_workflow("w", packages.ranked(postproc=packages.POST_PROCESSING))
    scenario.put_groups("w", "g")
    return world


@pytest.fixture
def run(world):
    return world.started("g")


def cancel(world, run, **sent):
    return world.ask("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, **sent)


def refusal(answer):
    return answer.status, answer.json["code"]


def untouched(run):
    return run_items.get(run).active and not bucket.some(bucket.cancel_mark(run))


def test_a_run_that_has_not_begun_begins_and_ends_when_it_is_canceled(world, run):
    world.wait(5)
    answer = cancel(world, run)
    handle = answer.json
    assert (answer.status, handle["state"]) == (200, "CANCELED")
    assert handle["startedAt"] == handle["finishedAt"] == scenario.stamp(5)
    assert handle["reason"] == {"code": "CANCELED", "detail": "canceled at user request"}
    assert [step["state"] for step in handle["steps"]] == ["PENDING"]
    assert handle == {**world.run(run), "startedBy": handle["startedBy"]}
    assert scenario.active_runs("g") == 0


def test_a_step_that_was_going_ends_with_its_run(world, run):
    world.wait(5)
    world.stage(run)
    world.wait(5)
    cancel(world, run)
    canceled = run_items.get(run)
    assert (canceled.started_at, canceled.finished_at) == (scenario.moment(5), scenario.moment(10))
    assert (str(canceled.steps[0].state), canceled.steps[0].finished_at) == ("CANCELED", scenario.moment(10))


def test_the_reason_is_what_the_run_says_of_itself(world, run):
    handle = cancel(world, run, body={"reason": "wrong file"}).json
    assert (handle["reason"]["detail"], handle["messages"]) == ("wrong file", ["wrong file"])


def test_step_and_execution_are_told_and_what_the_step_left_is_still_to_be_listed(world, run):
    assert moto_state.status(run) == "RUNNING"
    cancel(world, run)
    assert world.get(f"runs/{run}/canceled") == b""
    assert moto_state.status(run) == "ABORTED"
    assert scenario.due() == {due.Kind.LEFT: 1}


def test_an_execution_that_cannot_be_stopped_now_is_left_to_the_reconciler(world, run, monkeypatch):
    with monkeypatch.context() as during:
        during.setattr(step_functions, "stop", unreachable)
        assert cancel(world, run).json["state"] == "CANCELED"
    assert scenario.due() == {due.Kind.STOP: 1}


def unreachable(*_):
    raise OSError("no route to Step Functions")


@pytest.mark.parametrize("ending", ["succeeded", "failed", "canceled"])
def test_a_run_that_has_ended_stays_as_it_is(world, run, ending):
    if ending == "canceled":
        cancel(world, run, body={"reason": "first"})
    else:
        world.write_score(run, 0.5)
        world.end(run, scenario.SUCCEEDED if ending == "succeeded" else scenario.FAILED)
    before = run_items.get(run)
    marked = bool(bucket.some(bucket.cancel_mark(run)))
    world.wait(5)
    assert refusal(cancel(world, run, body={"reason": "too late"})) == (409, "RUN_IS_FINAL")
    assert run_items.get(run) == before
    assert bool(bucket.some(bucket.cancel_mark(run))) == marked == (ending == "canceled")


def test_strangers_cancel_nothing(world, run):
    assert refusal(cancel(world, run, user=None)) == (401, "UNAUTHENTICATED")
    assert refusal(cancel(world, run, user=gateway.BOB)) == (403, "NO_ACCESS")
    assert untouched(run)
    assert cancel(world, run, user=gateway.ORGANISER).status == 200


def test_who_is_dismissed_at_the_same_moment_cancels_nothing(world, run, interrupted):
    _, answer = interrupted(lambda: cancel(world, run), lambda: scenario.dismiss("g", gateway.ADA.id))
    assert refusal(answer) == (403, "NO_ACCESS")
    assert untouched(run)


def test_a_run_that_there_is_not_is_unknown(world, run):
    other = ("0" if run[0] != "0" else "1") + run[1:]
    assert refusal(cancel(world, other)) == (404, "NOT_FOUND")
    assert refusal(cancel(world, "nonsense")) == (404, "NOT_FOUND")


@pytest.mark.parametrize("body", [{"reason": 7}, {"why": "enough"}, {"reason": "x" * 2001}, ["enough"], "{"])
def test_what_is_not_understood_cancels_nothing(world, run, body):
    assert refusal(cancel(world, run, body=body)) == (400, "INVALID_REQUEST")
    assert untouched(run)


def test_post_processing_is_canceled_by_organisers_alone(world, run):
    world.succeed(run, 0.5)
    post_processing = world.invoke("post_process", {"workflow": "w"})["started"]
    assert refusal(cancel(world, post_processing)) == (403, "ORGANISERS_ONLY")
    assert untouched(post_processing)
    assert cancel(world, post_processing, user=gateway.ORGANISER).json["state"] == "CANCELED"
    assert moto_state.status(post_processing) == "ABORTED"

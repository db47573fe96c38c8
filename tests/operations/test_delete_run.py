"""Deleting a run: from table and ranking at once, from the bucket soon; not while it is active, and not if shown."""

import pytest

from flowserverless.aws import step_functions
from flowserverless.store import bucket, due, run_items, workflow_items
from support import gateway, moto_state, packages, scenario


@pytest.fixture
def world(world):
    world.now = scenario.START
    scenario.put_workflow("w", packages.ranked(postproc=packages.POST_PROCESSING))
    scenario.put_groups("w", "g")
    return world


def scored(world, score):
    run = world.started("g")
    world.wait(5)
    world.succeed(run, score)
    return run


def delete(world, run, **sent):
    return world.ask("delete_run", "DELETE", "/runs/{runId}", {"runId": run}, **sent)


def refusal(answer):
    return answer.status, answer.json["code"]


def board(world):
    """The runs of the leaderboard, best first."""
    answer = world.ask("get_leaderboard", "GET", "/workflows/{workflowId}/leaderboard", {"workflowId": "w"})
    return [line["run"]["id"] for line in answer.json["ranking"]]


def post_processing(world, reason=None):
    """A post-processing run that ended well, or for a reason."""
    run = world.invoke("post_process", {"workflow": "w"})["started"]
    world.stage(run)
    world.write(run, {"plot.txt": b"a plot"})
    world.end(run, {**scenario.SUCCEEDED, "reason": reason})
    return run


def test_a_deleted_run_is_gone_at_once_and_its_objects_soon(world):
    run = scored(world, 0.5)
    answer = delete(world, run)
    assert (answer.status, answer.body) == (204, b"")
    assert scenario.runs_of("g") == []
    assert refusal(world.ask("get_run", "GET", "/runs/{runId}", {"runId": run})) == (404, "NOT_FOUND")
    assert moto_state.inputs()[f"{run}-0"] == {"run": run}
    assert scenario.due()[due.Kind.GONE] == 1
    assert scenario.objects(run)
    world.carry_out_removals()
    assert scenario.objects(run) == []
    assert due.Kind.GONE not in scenario.due()


def test_the_next_best_run_takes_the_place_of_a_deleted_one(world):
    worse, best = scored(world, 0.4), scored(world, 0.5)
    version = workflow_items.get("w").ranking_version
    assert board(world) == [best]
    delete(world, best)
    assert board(world) == [worse]
    assert workflow_items.get("w").ranking_version == version + 1


def test_the_ranking_stays_as_it_was_without_a_run_that_it_did_not_show(world):
    best, worse = scored(world, 0.5), scored(world, 0.4)
    version = workflow_items.get("w").ranking_version
    assert delete(world, worse).status == 204
    assert board(world) == [best]
    assert workflow_items.get("w").ranking_version == version


def test_a_changed_ranking_is_post_processed(world):
    scored(world, 0.4)
    best = scored(world, 0.5)
    post_processing(world)
    assert workflow_items.get("w").active_run is None
    delete(world, best)
    assert moto_state.status(workflow_items.get("w").active_run) == "RUNNING"


def test_objects_whose_removal_cannot_be_started_are_left_to_the_reconciler(world, monkeypatch):
    run = scored(world, 0.5)
    with monkeypatch.context() as during:
        during.setattr(step_functions, "remove_files", unreachable)
        assert delete(world, run).status == 204
    assert scenario.runs_of("g") == []
    assert scenario.due()[due.Kind.GONE] == 1


def unreachable(*_):
    raise OSError("no route to Step Functions")


@pytest.mark.parametrize("staged", [False, True])
def test_an_active_run_is_canceled_first(world, staged):
    run = world.started("g")
    if staged:
        world.stage(run)
    before = run_items.get(run)
    assert refusal(delete(world, run)) == (409, "RUN_IS_ACTIVE")
    assert run_items.get(run) == before
    world.cancel(run)
    assert delete(world, run).status == 204


def test_a_run_is_deleted_once(world):
    run = scored(world, 0.5)
    assert delete(world, run).status == 204
    assert refusal(delete(world, run)) == (404, "NOT_FOUND")
    assert refusal(delete(world, "nonsense")) == (404, "NOT_FOUND")


def test_strangers_delete_nothing(world):
    run = scored(world, 0.5)
    assert refusal(delete(world, run, user=None)) == (401, "UNAUTHENTICATED")
    assert refusal(delete(world, run, user=gateway.BOB)) == (403, "NO_ACCESS")
    assert board(world) == [run]
    assert delete(world, run, user=gateway.ORGANISER).status == 204


def test_who_is_dismissed_at_the_same_moment_deletes_nothing(world, interrupted):
    run = scored(world, 0.5)
    _, answer = interrupted(lambda: delete(world, run), lambda: scenario.dismiss("g", gateway.ADA.id))
    assert refusal(answer) == (403, "NO_ACCESS")
    assert board(world) == [run]


def test_the_post_processing_that_the_workflow_shows_stays(world):
    scored(world, 0.5)
    shown = post_processing(world)
    assert refusal(delete(world, shown)) == (403, "ORGANISERS_ONLY")
    assert refusal(delete(world, shown, user=gateway.ORGANISER)) == (409, "RUN_IS_SHOWN")
    assert world.get(bucket.result(shown, "plot.txt")) == b"a plot"


def test_post_processing_that_failed_is_deleted_by_organisers_alone(world):
    scored(world, 0.5)
    failed = post_processing(world, scenario.FAILED["reason"])
    assert refusal(delete(world, failed)) == (403, "ORGANISERS_ONLY")
    assert run_items.get(failed)
    assert delete(world, failed, user=gateway.ORGANISER).status == 204
    assert scenario.deleted_post_processing("w") == [failed]

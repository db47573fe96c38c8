"""Post-processing: one execution at a time, for the newest ranking, and the last good result for as long as needed."""

import json

import pytest
from botocore import exceptions
from pynamodb.exceptions import GetError

from flowserverless.api import leaderboard, post_processing
from flowserverless.aws import clients
from flowserverless.domain import errors, ids, runs
from flowserverless.operations import post_process, reconcile
from flowserverless.store import bucket, run_items, table, version_items, workflow_items
from support import gateway, packages, scenario

pytestmark = pytest.mark.usefixtures("table", "bucket", "state_machine")

TEMPLATE = packages.ranked(postproc=packages.POST_PROCESSING)


@pytest.fixture
def start(invoke):
    """What the state machine does when a run has ended: the id of the post-processing run that began, or None."""
    return lambda: invoke("post_process", {"workflow": "w"})["started"]


@pytest.fixture
def again(invoke):
    """What an organiser does whom the failure of post-processing does not convince."""
    return lambda: invoke("post_process", {"workflow": "w", "again": True})["started"]


@pytest.fixture
def stage(invoke):
    """Stage the step of a post-processing run, which takes the snapshot of the ranking."""

    def call(run):
        version = run_items.get(run).version
        return invoke("stage_step", {"run": run, "workflow": "w", "version": version, "step": 0, "outcome": None})

    return call


@pytest.fixture
def finish(invoke):
    """End a staged post-processing run, by default with success."""

    def call(run, reason=None):
        if reason is None:
            bucket.write(bucket.result(run, "plot.txt"), b"a plot")
        outcome = {"exitCode": 0 if reason is None else 1, "reason": reason, "messages": ["said so"]}
        return invoke("update_run", {"run": run, "workflow": "w", "outcome": outcome})["state"]

    return call


@pytest.fixture
def process(start, stage, finish):
    """Start, stage and end post-processing; the id of its run."""

    def call(reason=None):
        run = start()
        stage(run)
        finish(run, reason)
        return run

    return call


@pytest.fixture
def change():
    """Let a run become the best of its group."""
    scenario.put_workflow("w", TEMPLATE)
    scenario.put_groups("w", "a", "b")
    scores = iter(range(1, 100))

    def call(group="a"):
        run = scenario.put_run("w", group)
        assert scenario.end_run(run, at=100, score=float(next(scores))).ranking_changed
        return run

    return call


FAILURE = {"code": "STEP_FAILED", "detail": "step 'plot': command 1 of 1 exited with code 1"}


def shown():
    return leaderboard.show("w", None, False, 10, None).get("postproc")


def executions(state_machine):
    client = clients.client("stepfunctions")
    found = client.list_executions(stateMachineArn=state_machine)["executions"]
    return {
        one["name"]: json.loads(client.describe_execution(executionArn=one["executionArn"])["input"]) for one in found
    }


def stored():
    """The ids of all post-processing runs that are kept, oldest first."""
    found, _ = run_items.newest(ids.Owner("w", True), 100, None, None)
    return [run.id for run in reversed(found)]


def test_a_changed_ranking_starts_one_execution_however_often_it_changes(change, start, state_machine):
    assert start() is None
    for _ in range(3):
        change()
    run = start()
    change("b")
    assert [start() for _ in range(3)] == [None] * 3
    begun = executions(state_machine)
    assert list(begun) == [run]
    assert begun[run]["wait"] == 2
    assert begun[run]["tenant"] == "postproc-w"
    assert shown()["state"] == "PENDING"


def test_what_changed_before_the_first_step_is_in_the_run_and_nothing_follows(change, start, stage, finish):
    change()
    run = start()
    change("b")
    stage(run)
    assert run_items.get(run).ranking_version == 2
    assert finish(run) == "SUCCESS"
    assert start() is None
    assert table.get(table.workflow("w")).due is None


def test_what_changed_after_that_is_followed_by_one_run_more(change, start, stage, finish):
    change()
    run = start()
    stage(run)
    for _ in range(3):
        change()
    finish(run)
    following = start()
    assert following not in (None, run)
    assert start() is None
    stage(following)
    assert run_items.get(following).ranking_version == 4
    finish(following)
    assert start() is None


def test_a_run_that_is_ranked_while_post_processing_ends_is_not_forgotten(change, start, stage):
    change()
    run = start()
    stage(run)
    once = [change]

    def ending(current):
        if once:
            once.pop()()
        return runs.end(current, runs.State.SUCCESS, scenario.moment(200))

    assert run_items.finish(run, "w", ending).won
    assert start() is not None


def test_two_that_start_it_at_the_same_time_start_one(change, start, monkeypatch, state_machine):
    change()
    read, others = version_items.get, []

    def interrupted(*arguments):
        monkeypatch.undo()
        monkeypatch.setenv("STATE_MACHINES", state_machine.removesuffix("run-workflow"))
        others.append(start())
        return read(*arguments)

    monkeypatch.setattr(version_items, "get", interrupted)
    ours = post_process.start_if_owed("w", scenario.START)
    assert ours is None
    assert stored() == others


def test_it_reads_the_best_runs_in_their_order_where_they_are(change, start, stage):
    change("b")
    worse, best = change("a"), change("a")
    run = start()
    assert f"runs/{run}/manifests/000.json" in stage(run)["manifestUrl"]
    listed = json.loads(bucket.read(bucket.ranked_runs(run), 10_000))
    other = leaderboard.show("w", None, False, 10, None)["ranking"][1]["run"]["id"]
    assert listed == [
        {"id": best, "name": "Group a", "files": ["results/score.json"]},
        {"id": other, "name": "Group b", "files": ["results/score.json"]},
    ]
    places = {path: key for path, key, _ in post_process.snapshot(run_items.get(run))}
    assert places == {
        "runs/runs.json": f"runs/{run}/inputs/runs.json",
        f"runs/{best}/results/score.json": f"runs/{best}/files/results/score.json",
        f"runs/{other}/results/score.json": f"runs/{other}/files/results/score.json",
    }
    manifest = json.loads(bucket.read(bucket.step_order(run, 0), 1_000_000))
    assert {one["path"] for one in manifest["inputs"]} == set(places)
    assert worse not in str(manifest["inputs"])


def test_a_file_that_has_a_key_is_read_under_that_key(start, stage):
    outputs = [{"source": "results/score.json", "key": "score"}]
    postproc = {**packages.POST_PROCESSING, "inputs": {"files": ["score"]}}
    scenario.put_workflow("w", packages.ranked(outputs=outputs, postproc=postproc))
    scenario.put_groups("w", "a")
    ranked = scenario.put_run("w", "a")
    scenario.end_run(ranked, score=1.0)
    run = start()
    stage(run)
    places = {path: key for path, key, _ in post_process.snapshot(run_items.get(run))}
    assert places[f"runs/{ranked}/score"] == f"runs/{ranked}/files/results/score.json"


def test_the_last_good_result_is_shown_until_there_is_a_newer_one(change, process, start, stage, finish):
    change()
    assert shown() is None
    good = process()
    handle = shown()
    assert (handle["id"], handle["stale"], handle["version"], handle["rankingVersion"]) == (good, False, 1, 1)
    assert [file["name"] for file in handle["files"]] == ["plot.txt"]
    assert "last" not in handle
    change()
    handle = shown()
    assert (handle["id"], handle["stale"], handle["version"], handle["rankingVersion"]) == (good, True, 1, 2)
    active = start()
    stage(active)
    handle = shown()
    assert (handle["id"], handle["last"]["id"], handle["last"]["state"]) == (good, active, "RUNNING")
    assert post_processing.result("w").id == good
    finish(active)
    handle = shown()
    assert (handle["id"], handle["stale"], handle["version"]) == (active, False, 2)


def test_a_failure_says_why_and_hides_nothing(change, process, start):
    change()
    failed = process(FAILURE)
    handle = shown()
    assert (handle["id"], handle["state"], handle["reason"]) == (failed, "ERROR", FAILURE)
    assert handle["messages"] == [FAILURE["detail"]], "what a step printed stands in its run"
    assert run_items.get(failed).messages == (FAILURE["detail"], "said so")
    with pytest.raises(errors.NotFound):
        post_processing.result("w")
    # Not tried again before the ranking changes: it would fail again.
    assert start() is None
    change()
    good = process()
    change()
    failed = process(FAILURE)
    handle = shown()
    assert (handle["id"], handle["state"], handle["stale"], handle["version"]) == (good, "SUCCESS", True, 2)
    assert (handle["last"]["id"], handle["last"]["reason"]) == (failed, FAILURE)
    assert handle["last"]["messages"] == [FAILURE["detail"]]


def test_one_that_failed_is_started_again_if_somebody_asks_for_it(change, process, start, stage, finish, again):
    change()
    process(FAILURE)
    run = again()
    assert run_items.get(run).state == "PENDING"
    assert (shown()["id"], shown()["state"]) == (run, "PENDING")
    stage(run)
    assert again() is None, "this one is for the same ranking"
    finish(run)
    assert (shown()["id"], shown()["state"], shown()["stale"]) == (run, "SUCCESS", False)
    assert start() is None


def test_without_post_processing_nobody_can_ask_for_it(again):
    scenario.put_workflow("w", packages.ranked())
    with pytest.raises(errors.Conflict, match="has no post-processing"):
        again()
    with pytest.raises(errors.NotFound):
        post_process.start_again("unknown", scenario.START)
    assert workflow_items.get("w").owed is False


def test_a_result_that_was_not_written_is_a_failure(change, start, stage, invoke):
    change()
    run = start()
    stage(run)
    done = {"exitCode": 0, "reason": None, "messages": []}
    assert invoke("update_run", {"run": run, "workflow": "w", "outcome": done})["state"] == "ERROR"
    assert "'plot.txt'" in shown()["reason"]["detail"]


def test_of_old_runs_only_those_that_are_shown_are_kept(change, process):
    kept = []
    for reason in (None, None, FAILURE, FAILURE, None, FAILURE):
        change()
        kept.append(process(reason))
    assert stored() == kept[-2:]
    assert scenario.deleted_post_processing("w") == kept[:-2]
    assert reconcile.all_due(scenario.START)["removals"] == 4


def test_a_deleted_best_run_is_a_changed_ranking(change, process, invoke):
    change()
    best = change()
    process()
    event = gateway.event("DELETE", "/runs/{runId}", {"runId": best}, user=gateway.ORGANISER)
    assert gateway.answer(invoke("delete_run", event)).status == 204
    active = workflow_items.get("w").active_run
    assert run_items.get(active).state == "PENDING"
    assert shown()["stale"]


def test_a_deleted_run_that_was_not_best_starts_nothing(change, process, start):
    worse = change()
    change()
    process()
    assert not scenario.delete_run(worse)
    assert start() is None


def test_the_result_that_is_shown_cannot_be_deleted(change, process):
    change()
    good = process()
    with pytest.raises(errors.Conflict):
        run_items.delete(good, "w", scenario.moment(300))


def test_a_canceled_run_is_followed_by_another_only_if_the_ranking_changed(change, start, stage):
    def cancel(run):
        run_items.finish(run, "w", lambda current: runs.canceled(current, scenario.moment(300), None))

    change()
    first = start()
    stage(first)
    cancel(first)
    assert start() is None
    change()
    second = start()
    stage(second)
    change()
    cancel(second)
    assert start() is not None


def test_what_was_owed_when_a_function_died_is_started_by_the_reconciler(change, state_machine):
    change()
    assert reconcile.all_due(scenario.START)["postProcessing"] == 1
    assert list(executions(state_machine)) == [workflow_items.get("w").active_run]


def test_another_post_processing_workflow_is_run_for_the_ranking_that_there_is(change, process, start):
    change()
    process()
    changed = {**packages.POST_PROCESSING, "outputs": []}
    scenario.put_workflow("w", packages.ranked(postproc=changed))
    assert start() is not None


@pytest.mark.parametrize(
    "error",
    [exceptions.ClientError({"Error": {"Code": "ThrottlingException"}}, "StartExecution"), GetError("throttled")],
    ids=["Step Functions", "DynamoDB"],
)
def test_who_publishes_it_need_not_wait_for_the_reconciler(change, process, invoke, monkeypatch, error):
    change()
    process()

    def publish(*outputs):
        changed = {**packages.POST_PROCESSING, "outputs": [{"source": name} for name in outputs]}
        bucket.write("inbox/workflows/w.zip", packages.package(packages.ranked(postproc=changed)))
        return invoke("publish_workflow", {"key": "inbox/workflows/w.zip"})

    with monkeypatch.context() as during:
        during.setattr(post_process, "start_if_owed", raising(error))
        assert publish("plot.txt", "other.txt")["status"] == "accepted"
    assert workflow_items.get("w").active_run is None
    report = publish("plot.txt")
    assert (report["status"], report["faults"]) == ("accepted", [])
    run = run_items.get(workflow_items.get("w").active_run)
    assert (run.version, run.state) == (report["version"], runs.State.PENDING)


def raising(error):
    def call(*_):
        raise error

    return call


def test_a_result_drawn_by_another_version_is_stale_until_the_new_one_has_drawn(change, start, stage, finish, process):
    change()
    process()
    changed = {**packages.POST_PROCESSING, "outputs": [{"source": "plot.txt", "title": "Another"}]}
    scenario.put_workflow("w", packages.ranked(postproc=changed))
    assert shown()["stale"]
    run = start()
    stage(run)
    scenario.put_workflow("w", packages.ranked(postproc={**changed, "outputs": [{"source": "plot.txt"}]}))
    finish(run)
    assert shown()["stale"], "what ran meanwhile was of a version that is not current any more"
    process()
    assert not shown()["stale"]
    assert start() is None


def test_post_processing_that_was_removed_is_owed_no_more(change, start):
    change()
    scenario.put_workflow("w", packages.ranked())
    assert start() is None
    assert reconcile.all_due(scenario.START) == {}


def redrawn(number):
    return packages.ranked(postproc={**packages.POST_PROCESSING, "outputs": [{"source": f"plot{number}.txt"}]})


def test_a_workflow_without_ranked_runs_is_published_without_post_processing(invoke, state_machine):
    for number in range(2):
        bucket.write("inbox/workflows/w.zip", packages.package(redrawn(number)))
        assert invoke("publish_workflow", {"key": "inbox/workflows/w.zip"})["status"] == "accepted"
    head = workflow_items.get("w")
    assert (head.owed, head.active_run, shown(), stored()) == (False, None, None, [])
    assert executions(state_machine) == {}


def test_on_an_empty_board_nobody_can_ask_for_it(again):
    scenario.put_workflow("w", TEMPLATE)
    assert again() is None
    assert workflow_items.get("w").owed is False


def test_what_was_drawn_of_deleted_runs_goes_with_the_last_of_them(change, process, invoke, start):
    ranked = [change(), change("b")]
    kept = [process(), None]
    change_run = ranked.pop()
    event = gateway.event("DELETE", "/runs/{runId}", {"runId": change_run}, user=gateway.ORGANISER)
    assert gateway.answer(invoke("delete_run", event)).status == 204
    assert shown()["id"] == kept[0], "one group is ranked still"
    active = workflow_items.get("w").active_run
    invoke("stage_step", staged(active))
    bucket.write(bucket.result(active, "plot.txt"), b"a plot")
    done = {"exitCode": 0, "reason": None, "messages": []}
    assert invoke("update_run", {"run": active, "workflow": "w", "outcome": done})["state"] == "SUCCESS"
    event = gateway.event("DELETE", "/runs/{runId}", {"runId": ranked.pop()}, user=gateway.ORGANISER)
    assert gateway.answer(invoke("delete_run", event)).status == 204
    head = workflow_items.get("w")
    assert (head.owed, head.good_run, head.last_run, shown(), stored()) == (False, None, None, None, [])
    with pytest.raises(errors.NotFound):
        post_processing.result("w")
    assert sorted(scenario.deleted_post_processing("w")) == sorted([kept[0], active])
    assert start() is None


def staged(run):
    return {"run": run, "workflow": "w", "version": run_items.get(run).version, "step": 0, "outcome": None}


def test_a_board_that_is_emptied_before_the_first_step_is_not_processed(change, start, stage):
    best = change()
    run = start()
    assert scenario.delete_run(best)
    with pytest.raises(errors.Conflict, match="is ranked any more"):
        stage(run)
    # The execution marks the run as failed; what is owed is seen to by the reconciler.
    reason = runs.Reason("SYSTEM_ERROR", "stage_step")
    run_items.finish(run, "w", lambda now: runs.end(now, runs.State.ERROR, scenario.moment(300), reason))
    reconcile.all_due(scenario.START)
    assert (workflow_items.get("w").owed, shown(), stored()) == (False, None, [])


def test_a_run_that_is_ranked_while_results_are_withdrawn_is_post_processed(change, start, process):
    best = change()
    process()
    assert scenario.delete_run(best)
    head = workflow_items.get("w")
    change("b")
    assert not run_items.withdraw_post_processing(head, scenario.START)
    assert workflow_items.get("w").owed
    assert start() is not None


@pytest.mark.parametrize("operation", ["post_process", "publish_workflow"])
def test_whoever_finds_the_board_empty_withdraws_what_was_drawn(change, process, invoke, operation):
    best = change()
    process()
    assert scenario.delete_run(best)
    bucket.write("inbox/workflows/w.zip", packages.package(redrawn(1)))
    invoke(operation, {"workflow": "w", "key": "inbox/workflows/w.zip"})
    assert (workflow_items.get("w").owed, shown(), stored()) == (False, None, [])

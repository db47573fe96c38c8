"""The reconciler: whatever got lost between the table, Step Functions and S3, one pass puts right."""

import pytest

from flowserverless.aws import step_functions
from flowserverless.domain import errors, ids
from flowserverless.store import bucket, run_items, workflow_items
from support import moto_state, packages, ranking_model, scenario

pytestmark = pytest.mark.usefixtures("table", "bucket", "state_machine")


@pytest.fixture
def world(world):
    world.now = scenario.START
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    return world


@pytest.fixture
def lost_start(world, monkeypatch):
    """Start a run whose execution is not started: the function died, or Step Functions refused."""

    def start(**body):
        with monkeypatch.context() as during:
            during.setattr(step_functions, "start", lambda run, wait=0: None)
            return world.started("a", **body)

    return start


def state(run):
    return str(run_items.get(run).state)


def reason(run):
    return run_items.get(run).reason.code


def test_a_run_without_an_execution_is_started_once_it_cannot_be_on_its_way_any_more(world, lost_start):
    run = lost_start()
    world.wait(30)
    assert world.reconcile() == {"runs": 0}
    assert moto_state.status(run) is None
    world.wait(60)
    assert world.reconcile() == {"runs": 1}
    assert moto_state.status(run) == "RUNNING"
    assert world.reconcile() == {"runs": 0}
    assert state(run) == "PENDING"


def test_a_run_that_never_began_is_given_up_once_nobody_expects_it_to(world, lost_start):
    run = lost_start(config={"timeoutSeconds": 86400})
    world.wait(3601)
    assert world.reconcile() == {"runs": 1}
    assert (state(run), reason(run)) == ("ERROR", "SYSTEM_ERROR")
    assert moto_state.status(run) is None
    assert scenario.active_runs("a") == 0


def test_a_run_of_an_external_engine_is_started_as_well(world, lost_start):
    scenario.put_workflow("w", packages.ranked(flowserverless={"external": True}))
    run = lost_start(config={"engine": "external"})
    assert world.reconcile() == {"runs": 0}
    world.wait(90)
    assert world.reconcile() == {"runs": 1}
    assert moto_state.status(run) == "RUNNING"
    assert state(run) == "RUNNING"


ENDINGS = [
    ("SUCCEEDED", None, None, "SYSTEM_ERROR"),
    ("FAILED", "Lambda.Unknown", "RequestId: 1 Error: signal: killed", "OUT_OF_MEMORY"),
    ("FAILED", "States.Runtime", "what no one foresaw", "SYSTEM_ERROR"),
    ("ABORTED", None, None, "SYSTEM_ERROR"),
    ("TIMED_OUT", "States.Timeout", None, "TIMEOUT"),
]


@pytest.mark.parametrize("told", [True, False])
def test_how_an_execution_ended_is_taken_over(world, told):
    started = [world.started("a") for _ in ENDINGS]
    for run, (status, error, cause, _) in zip(started, ENDINGS, strict=True):
        world.stage(run)
        moto_state.end_execution(run, status, error, cause)
        if told:
            assert world.tell(run, status) == {"runs": 1}
    assert world.reconcile() == ({} if told else {"runs": len(started)})
    ended = [run_items.get(run) for run in started]
    assert [run.reason.code for run in ended] == [code for *_, code in ENDINGS]
    assert {(str(run.state), str(run.steps[0].state)) for run in ended} == {("ERROR", "ERROR")}
    assert all(run.reason.detail in run.messages for run in ended)
    assert scenario.active_runs("a") == 0
    assert scenario.due() == {"LEFT": len(started)}


def test_events_that_come_twice_late_or_for_nobody_change_nothing(world):
    run = world.started("a")
    world.succeed(run, 0.5)
    before = run_items.get(run)
    world.wait(100)
    for status in ("FAILED", "ABORTED", "ABORTED", "TIMED_OUT", "SUCCEEDED"):
        assert world.tell(run, status) == {"runs": 0}
        world.tell(run, status, to="update_run")
    assert run_items.get(run) == before
    assert world.delete(run).status == 204
    assert world.tell(run, "FAILED") == {"runs": 0}
    assert world.tell("no run at all", "FAILED") == {"runs": 0}
    ranking_model.check("w", [])


def test_a_run_whose_deadline_passed_ends_and_so_does_its_work(world):
    run = world.started("a", config={"timeoutSeconds": 100})
    world.stage(run)
    world.wait(99)
    assert world.reconcile() == {"runs": 0}
    world.wait(2)
    assert world.reconcile() == {"runs": 1}
    assert (state(run), reason(run)) == ("ERROR", "TIMEOUT")
    assert moto_state.status(run) == "ABORTED"
    assert bucket.cancel_mark(run) in scenario.objects(run)
    assert world.succeed(run, 0.9)["state"] == "ERROR"
    ranking_model.check("w", [])


def test_what_a_stopped_run_had_written_is_listed(world):
    run = world.started("a")
    world.stage(run)
    world.write_score(run, 0.5)
    assert world.cancel(run, "enough").status == 200
    world.tell(run, "ABORTED", to="update_run")
    canceled = run_items.get(run)
    assert (str(canceled.state), canceled.reason.detail) == ("CANCELED", "enough")
    assert [file.path for file in canceled.files] == ["results/score.json"]
    ranking_model.check("w", [])


@pytest.mark.parametrize("ended", ["canceled", "failed", "timed out"])
def test_what_a_run_that_was_ended_from_outside_had_written_is_listed_though_nobody_was_told(world, ended):
    run = world.started("a", config={"timeoutSeconds": 100})
    world.stage(run)
    world.write_score(run, 0.5)
    if ended == "canceled":
        world.cancel(run)
    elif ended == "failed":
        moto_state.end_execution(run, "FAILED", "E", "c")
    else:
        world.wait(101)
    world.reconcile()
    assert scenario.due() == {"LEFT": 1}
    world.wait(900)
    assert world.reconcile() == {}, "a step of it may still write"
    world.wait(100)
    assert world.reconcile() == {"listings": 1}
    world.carry_out_listings()
    assert [file.path for file in run_items.get(run).files] == ["results/score.json"]
    assert scenario.due() == {}
    assert world.reconcile() == {}


def test_who_was_told_has_nothing_left_to_list(world):
    run = world.started("a")
    world.stage(run)
    assert world.cancel(run).status == 200
    assert scenario.due() == {"LEFT": 1}
    world.tell(run, "ABORTED", to="update_run")
    assert scenario.due() == {}


def test_of_a_run_that_was_deleted_nothing_is_listed(world):
    run = world.started("a")
    world.stage(run)
    assert world.cancel(run).status == 200
    assert world.delete(run).status == 204
    world.wait(1000)
    assert "listings" not in world.reconcile()


def deleted(world, score=0.5):
    run = world.started("a")
    world.succeed(run, score)
    assert world.delete(run).status == 204
    return run


def test_objects_of_a_deleted_run_are_removed_though_their_removal_was_never_begun(world, monkeypatch):
    with monkeypatch.context() as during:
        during.setattr(step_functions, "remove_files", lambda run, attempt: None)
        run = deleted(world)
    assert scenario.objects(run)
    assert scenario.due() == {"GONE": 1}
    assert world.reconcile() == {"removals": 1}
    world.carry_out_removals()
    assert scenario.objects(run) == []
    assert scenario.due() == {}
    assert world.reconcile() == {}


def test_a_removal_that_failed_is_tried_again_by_every_pass(world):
    run = deleted(world)
    moto_state.end_execution(f"{run}-0", "FAILED")
    for _ in range(2):
        world.wait(300)
        assert world.reconcile() == {"removals": 1}
    assert len([name for name in moto_state.inputs() if name.startswith(f"{run}-")]) == 3


def test_what_a_step_wrote_after_its_run_was_canceled_and_deleted_is_removed_too(world):
    run = world.started("a")
    world.stage(run)
    assert world.cancel(run).status == 200
    assert world.delete(run).status == 204
    world.carry_out_removals()
    assert scenario.objects(run) == []
    world.write_score(run, 0.5)
    world.wait(1800)
    world.reconcile()
    world.carry_out_removals()
    assert scenario.objects(run) == []
    assert scenario.due() == {}


@pytest.mark.long
def test_a_run_with_2500_objects_leaves_nothing(world):
    run = world.started("a")
    world.succeed(run, 0.5)
    moto_state.write_empty(bucket.result(run, f"deep/{number:04d}") for number in range(2500))
    bucket.write(f"inbox/results/{run}/part", b"")
    neighbour = world.started("a")
    world.write_score(neighbour, 0.5)
    assert world.delete(run).status == 204
    world.remove_files(run)
    assert scenario.objects(run) == []
    assert list(bucket.listing(f"inbox/results/{run}/")) == []
    assert scenario.objects(neighbour)
    assert scenario.due() == {"RUN": 1}


def test_removal_is_repeated_until_nothing_is_left(world, monkeypatch):
    run = deleted(world)
    for number in range(5):
        bucket.write(bucket.result(run, number), b"")
    monkeypatch.setattr(bucket, "MAX_KEYS_PER_DELETE", 2)
    monkeypatch.setattr("flowserverless.operations.delete.REQUESTS", 1)
    assert world.remove_files(run) > 3
    assert scenario.objects(run) == []
    assert scenario.due() == {}


def test_objects_that_s3_kept_are_not_forgotten(world, monkeypatch):
    run = deleted(world)

    def keep(keys):
        raise OSError("1 objects were not deleted")

    with monkeypatch.context() as during:
        during.setattr(bucket, "remove", keep)
        with pytest.raises(OSError, match="not deleted"):
            world.remove_files(run)
    assert scenario.due() == {"GONE": 1}
    world.remove_files(run)
    assert scenario.objects(run) == []


def test_one_that_cannot_be_put_right_stops_no_other(world, monkeypatch):
    broken, other = world.started("a"), world.started("a")
    gone = deleted(world)
    for run in (broken, other):
        moto_state.end_execution(run, "FAILED", "E", "c")
    known = step_functions.status

    def status(run):
        if run == broken:
            raise RuntimeError("Step Functions is out of order")
        return known(run)

    with monkeypatch.context() as during:
        during.setattr(step_functions, "status", status)
        assert world.reconcile() == {"runs": 1, "failed": 1, "removals": 1}
    assert (state(broken), state(other)) == ("PENDING", "ERROR")
    assert world.reconcile()["runs"] == 1
    assert state(broken) == "ERROR"
    assert scenario.objects(gone)


@pytest.fixture
def post_processed(world):
    scenario.put_workflow("w", packages.ranked(postproc=packages.POST_PROCESSING))
    return world


def owed():
    return workflow_items.get("w").owed


def test_post_processing_that_is_owed_is_started_by_the_next_pass(post_processed):
    run = post_processed.started("a")
    assert post_processed.succeed(run, 0.5)["rankingChanged"]
    assert owed()
    assert post_processed.reconcile()["postProcessing"] == 1
    name = workflow_items.get("w").active_run
    assert moto_state.status(name) == "RUNNING"
    assert "postProcessing" not in {kind for kind, count in post_processed.reconcile().items() if count}
    assert workflow_items.get("w").active_run == name


def test_post_processing_whose_execution_is_gone_makes_room_for_another(post_processed):
    post_processed.succeed(post_processed.started("a"), 0.5)
    post_processed.reconcile()
    first = workflow_items.get("w").active_run
    post_processed.stage(first)
    post_processed.succeed(post_processed.started("a"), 0.9)
    moto_state.end_execution(first, "FAILED", "E", "c")
    post_processed.tell(first, "FAILED")
    assert state(first) == "ERROR"
    second = workflow_items.get("w").active_run
    assert second not in (None, first)
    assert moto_state.status(second) == "RUNNING"
    post_processed.stage(second)
    moto_state.end_execution(second, "FAILED", "E", "c")
    post_processed.reconcile()
    assert state(second) == "ERROR"
    assert not owed(), "post-processing that fails for this ranking would fail for ever"


def test_post_processing_that_was_written_but_not_started_is_started(post_processed, monkeypatch):
    post_processed.succeed(post_processed.started("a"), 0.5)
    with monkeypatch.context() as during:
        during.setattr(step_functions, "start", lambda run, wait=0: None)
        post_processed.invoke("post_process", {"workflow": "w"})
    run = workflow_items.get("w").active_run
    assert moto_state.status(run) is None
    post_processed.wait(90)
    assert post_processed.reconcile()["runs"] == 1
    assert moto_state.status(run) == "RUNNING"


def test_runs_expire_but_for_active_ones_and_the_best_of_each_group(post_processed, monkeypatch):
    world = post_processed
    monkeypatch.setenv("MAX_RUN_SECONDS", "1209600")
    monkeypatch.setattr("flowserverless.clock.new_ulid", ulids(world))
    best, worse, active = (world.started("a", config={"timeoutSeconds": 1209600}) for _ in range(3))
    world.succeed(best, 0.9)
    world.succeed(worse, 0.5)
    world.reconcile()
    shown = workflow_items.get("w").active_run
    world.wait(12 * 86400)
    young = world.started("a")
    world.succeed(young, 0.1)
    world.wait(86400)
    assert world.invoke("expire_runs", {}) == {"deleted": 0}
    monkeypatch.setenv("KEEP_RUN_DAYS", "12")
    assert world.invoke("expire_runs", {}) == {"deleted": 1}
    with pytest.raises(errors.NotFound):
        run_items.get(worse)
    assert [state(run) for run in (best, active, young)] == ["SUCCESS", "PENDING", "SUCCESS"]
    assert run_items.get(shown).active
    ranking_model.check("w", [ranking_model.finished(best, 0.9), ranking_model.finished(young, 0.1)])
    assert world.invoke("expire_runs", {}) == {"deleted": 0}


def ulids(world):
    numbers = iter(range(1, 1000))
    return lambda: ids.ulid(int(world.now.timestamp() * 1000), next(numbers).to_bytes(10))


def test_deleting_a_run_that_is_active_is_refused(world):
    run = world.started("a")
    answer = world.delete(run)
    assert (answer.status, answer.json["code"]) == (409, "RUN_IS_ACTIVE")
    assert state(run) == "PENDING"
    assert scenario.active_runs("a") == 1

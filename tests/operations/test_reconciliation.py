"""The reconciler: whatever got lost between the table, Step Functions and S3, one pass puts right."""

import pytest

from flowserverless.aws import step_functions
from flowserverless.domain import errors, ids
from flowserverless.store import bucket, run_items, workflow_items
from support import contest
from support import service as on_moto

pytestmark = pytest.mark.usefixtures("table", "bucket", "state_machine")


@pytest.fixture
def service(invoke, monkeypatch, table, bucket, state_machine):
    contest.publish()
    contest.join("w", "a")
    return on_moto.Service(invoke, monkeypatch)


@pytest.fixture
def lost_start(service, monkeypatch):
    """Start a run whose execution is not started: the function died, or Step Functions refused."""

    def start(**body):
        with monkeypatch.context() as during:
            during.setattr(step_functions, "start", lambda run, wait=0: None)
            return service.started("a", **body)

    return start


def state(run):
    return str(run_items.get(run).state)


def reason(run):
    return run_items.get(run).reason.code


def test_a_run_without_an_execution_is_started_once_it_cannot_be_on_its_way_any_more(service, lost_start):
    run = lost_start()
    service.wait(30)
    assert service.reconcile() == {"runs": 0}
    assert on_moto.status(run) is None
    service.wait(60)
    assert service.reconcile() == {"runs": 1}
    assert on_moto.status(run) == "RUNNING"
    assert service.reconcile() == {"runs": 0}
    assert state(run) == "PENDING"


def test_a_run_that_never_began_is_given_up_once_nobody_expects_it_to(service, lost_start):
    run = lost_start(config={"timeoutSeconds": 86400})
    service.wait(3601)
    assert service.reconcile() == {"runs": 1}
    assert (state(run), reason(run)) == ("ERROR", "SYSTEM_ERROR")
    assert on_moto.status(run) is None
    assert on_moto.active_runs("a") == 0


def test_a_run_of_an_external_engine_is_started_as_well(service, lost_start):
    contest.publish("w", contest.template(flowserverless={"external": True}))
    run = lost_start(config={"engine": "external"})
    assert service.reconcile() == {"runs": 0}
    service.wait(90)
    assert service.reconcile() == {"runs": 1}
    assert on_moto.status(run) == "RUNNING"
    assert state(run) == "RUNNING"


ENDINGS = [
    ("SUCCEEDED", None, None, "SYSTEM_ERROR"),
    ("FAILED", "Lambda.Unknown", "RequestId: 1 Error: signal: killed", "OUT_OF_MEMORY"),
    ("FAILED", "States.Runtime", "what no one foresaw", "SYSTEM_ERROR"),
    ("ABORTED", None, None, "SYSTEM_ERROR"),
    ("TIMED_OUT", "States.Timeout", None, "TIMEOUT"),
]


@pytest.mark.parametrize("told", [True, False])
def test_how_an_execution_ended_is_taken_over(service, told):
    started = [service.started("a") for _ in ENDINGS]
    for run, (status, error, cause, _) in zip(started, ENDINGS, strict=True):
        service.stage(run)
        on_moto.end_execution(run, status, error, cause)
        if told:
            assert service.tell(run, status) == {"runs": 1}
    assert service.reconcile() == ({} if told else {"runs": len(started)})
    ended = [run_items.get(run) for run in started]
    assert [run.reason.code for run in ended] == [code for *_, code in ENDINGS]
    assert {(str(run.state), str(run.steps[0].state)) for run in ended} == {("ERROR", "ERROR")}
    assert all(run.reason.detail in run.messages for run in ended)
    assert on_moto.active_runs("a") == 0
    assert on_moto.due() == {"LEFT": len(started)}


def test_events_that_come_twice_late_or_for_nobody_change_nothing(service):
    run = service.started("a")
    service.succeed(run, 0.5)
    before = run_items.get(run)
    service.wait(100)
    for status in ("FAILED", "ABORTED", "ABORTED", "TIMED_OUT", "SUCCEEDED"):
        assert service.tell(run, status) == {"runs": 0}
        service.tell(run, status, to="update_run")
    assert run_items.get(run) == before
    assert service.delete(run).status == 204
    assert service.tell(run, "FAILED") == {"runs": 0}
    assert service.tell("no run at all", "FAILED") == {"runs": 0}
    contest.check("w", [])


def test_a_run_whose_deadline_passed_ends_and_so_does_its_work(service):
    run = service.started("a", config={"timeoutSeconds": 100})
    service.stage(run)
    service.wait(99)
    assert service.reconcile() == {"runs": 0}
    service.wait(2)
    assert service.reconcile() == {"runs": 1}
    assert (state(run), reason(run)) == ("ERROR", "TIMEOUT")
    assert on_moto.status(run) == "ABORTED"
    assert bucket.cancel_mark(run) in on_moto.objects(run)
    assert service.succeed(run, 0.9)["state"] == "ERROR"
    contest.check("w", [])


def test_what_a_stopped_run_had_written_is_listed(service):
    run = service.started("a")
    service.stage(run)
    service.write_score(run, 0.5)
    assert service.cancel(run, "enough").status == 200
    service.tell(run, "ABORTED", to="update_run")
    canceled = run_items.get(run)
    assert (str(canceled.state), canceled.reason.detail) == ("CANCELED", "enough")
    assert [file.path for file in canceled.files] == ["results/score.json"]
    contest.check("w", [])


@pytest.mark.parametrize("ended", ["canceled", "failed", "timed out"])
def test_what_a_run_that_was_ended_from_outside_had_written_is_listed_though_nobody_was_told(service, ended):
    run = service.started("a", config={"timeoutSeconds": 100})
    service.stage(run)
    service.write_score(run, 0.5)
    if ended == "canceled":
        service.cancel(run)
    elif ended == "failed":
        on_moto.end_execution(run, "FAILED", "E", "c")
    else:
        service.wait(101)
    service.reconcile()
    assert on_moto.due() == {"LEFT": 1}
    service.wait(900)
    assert service.reconcile() == {}, "a step of it may still write"
    service.wait(100)
    assert service.reconcile() == {"listings": 1}
    service.carry_out_listings()
    assert [file.path for file in run_items.get(run).files] == ["results/score.json"]
    assert on_moto.due() == {}
    assert service.reconcile() == {}


def test_who_was_told_has_nothing_left_to_list(service):
    run = service.started("a")
    service.stage(run)
    assert service.cancel(run).status == 200
    assert on_moto.due() == {"LEFT": 1}
    service.tell(run, "ABORTED", to="update_run")
    assert on_moto.due() == {}


def test_of_a_run_that_was_deleted_nothing_is_listed(service):
    run = service.started("a")
    service.stage(run)
    assert service.cancel(run).status == 200
    assert service.delete(run).status == 204
    service.wait(1000)
    assert "listings" not in service.reconcile()


def deleted(service, score=0.5):
    run = service.started("a")
    service.succeed(run, score)
    assert service.delete(run).status == 204
    return run


def test_objects_of_a_deleted_run_are_removed_though_their_removal_was_never_begun(service, monkeypatch):
    with monkeypatch.context() as during:
        during.setattr(step_functions, "remove_files", lambda run, attempt: None)
        run = deleted(service)
    assert on_moto.objects(run)
    assert on_moto.due() == {"GONE": 1}
    assert service.reconcile() == {"removals": 1}
    service.carry_out_removals()
    assert on_moto.objects(run) == []
    assert on_moto.due() == {}
    assert service.reconcile() == {}


def test_a_removal_that_failed_is_tried_again_by_every_pass(service):
    run = deleted(service)
    on_moto.end_execution(f"{run}-0", "FAILED")
    for _ in range(2):
        service.wait(300)
        assert service.reconcile() == {"removals": 1}
    assert len([name for name in on_moto.inputs() if name.startswith(f"{run}-")]) == 3


def test_what_a_step_wrote_after_its_run_was_canceled_and_deleted_is_removed_too(service):
    run = service.started("a")
    service.stage(run)
    assert service.cancel(run).status == 200
    assert service.delete(run).status == 204
    service.carry_out_removals()
    assert on_moto.objects(run) == []
    service.write_score(run, 0.5)
    service.wait(1800)
    service.reconcile()
    service.carry_out_removals()
    assert on_moto.objects(run) == []
    assert on_moto.due() == {}


def test_a_run_with_2500_objects_leaves_nothing(service):
    run = service.started("a")
    service.succeed(run, 0.5)
    on_moto.write_empty(bucket.result(run, f"deep/{number:04d}") for number in range(2500))
    bucket.write(f"inbox/results/{run}/part", b"")
    neighbour = service.started("a")
    service.write_score(neighbour, 0.5)
    assert service.delete(run).status == 204
    service.remove_files(run)
    assert on_moto.objects(run) == []
    assert list(bucket.listing(f"inbox/results/{run}/")) == []
    assert on_moto.objects(neighbour)
    assert on_moto.due() == {"RUN": 1}


def test_removal_is_repeated_until_nothing_is_left(service, monkeypatch):
    run = deleted(service)
    for number in range(5):
        bucket.write(bucket.result(run, number), b"")
    monkeypatch.setattr(bucket, "MAX_KEYS_PER_DELETE", 2)
    monkeypatch.setattr("flowserverless.operations.delete.REQUESTS", 1)
    assert service.remove_files(run) > 3
    assert on_moto.objects(run) == []
    assert on_moto.due() == {}


def test_objects_that_s3_kept_are_not_forgotten(service, monkeypatch):
    run = deleted(service)

    def keep(keys):
        raise OSError("1 objects were not deleted")

    with monkeypatch.context() as during:
        during.setattr(bucket, "remove", keep)
        with pytest.raises(OSError, match="not deleted"):
            service.remove_files(run)
    assert on_moto.due() == {"GONE": 1}
    service.remove_files(run)
    assert on_moto.objects(run) == []


def test_one_that_cannot_be_put_right_stops_no_other(service, monkeypatch):
    broken, other = service.started("a"), service.started("a")
    gone = deleted(service)
    for run in (broken, other):
        on_moto.end_execution(run, "FAILED", "E", "c")
    known = step_functions.status

    def status(run):
        if run == broken:
            raise RuntimeError("Step Functions is out of order")
        return known(run)

    with monkeypatch.context() as during:
        during.setattr(step_functions, "status", status)
        assert service.reconcile() == {"runs": 1, "failed": 1, "removals": 1}
    assert (state(broken), state(other)) == ("PENDING", "ERROR")
    assert service.reconcile()["runs"] == 1
    assert state(broken) == "ERROR"
    assert on_moto.objects(gone)


@pytest.fixture
def post_processed(service):
    contest.publish("w", contest.template(postproc=contest.POST_PROCESSING))
    return service


def owed():
    return workflow_items.get("w").owed


def test_post_processing_that_is_owed_is_started_by_the_next_pass(post_processed):
    run = post_processed.started("a")
    assert post_processed.succeed(run, 0.5)["rankingChanged"]
    assert owed()
    assert post_processed.reconcile()["postProcessing"] == 1
    name = workflow_items.get("w").active_run
    assert on_moto.status(name) == "RUNNING"
    assert "postProcessing" not in {kind for kind, count in post_processed.reconcile().items() if count}
    assert workflow_items.get("w").active_run == name


def test_post_processing_whose_execution_is_gone_makes_room_for_another(post_processed):
    post_processed.succeed(post_processed.started("a"), 0.5)
    post_processed.reconcile()
    first = workflow_items.get("w").active_run
    post_processed.stage(first)
    post_processed.succeed(post_processed.started("a"), 0.9)
    on_moto.end_execution(first, "FAILED", "E", "c")
    post_processed.tell(first, "FAILED")
    assert state(first) == "ERROR"
    second = workflow_items.get("w").active_run
    assert second not in (None, first)
    assert on_moto.status(second) == "RUNNING"
    post_processed.stage(second)
    on_moto.end_execution(second, "FAILED", "E", "c")
    post_processed.reconcile()
    assert state(second) == "ERROR"
    assert not owed(), "post-processing that fails for this ranking would fail for ever"


def test_post_processing_that_was_written_but_not_started_is_started(post_processed, monkeypatch):
    post_processed.succeed(post_processed.started("a"), 0.5)
    with monkeypatch.context() as during:
        during.setattr(step_functions, "start", lambda run, wait=0: None)
        post_processed.invoke("post_process", {"workflow": "w"})
    run = workflow_items.get("w").active_run
    assert on_moto.status(run) is None
    post_processed.wait(90)
    assert post_processed.reconcile()["runs"] == 1
    assert on_moto.status(run) == "RUNNING"


def test_runs_expire_but_for_active_ones_and_the_best_of_each_group(post_processed, monkeypatch):
    service = post_processed
    monkeypatch.setenv("MAX_RUN_SECONDS", "1209600")
    monkeypatch.setattr("flowserverless.clock.new_ulid", ulids(service))
    best, worse, active = (service.started("a", config={"timeoutSeconds": 1209600}) for _ in range(3))
    service.succeed(best, 0.9)
    service.succeed(worse, 0.5)
    service.reconcile()
    shown = workflow_items.get("w").active_run
    service.wait(12 * 86400)
    young = service.started("a")
    service.succeed(young, 0.1)
    service.wait(86400)
    assert service.invoke("expire_runs", {}) == {"deleted": 0}
    monkeypatch.setenv("KEEP_RUN_DAYS", "12")
    assert service.invoke("expire_runs", {}) == {"deleted": 1}
    with pytest.raises(errors.NotFound):
        run_items.get(worse)
    assert [state(run) for run in (best, active, young)] == ["SUCCESS", "PENDING", "SUCCESS"]
    assert run_items.get(shown).active
    contest.check("w", [on_moto.ranked(best, 0.9), on_moto.ranked(young, 0.1)])
    assert service.invoke("expire_runs", {}) == {"deleted": 0}


def ulids(service):
    numbers = iter(range(1, 1000))
    return lambda: ids.ulid(int(service.now.timestamp() * 1000), next(numbers).to_bytes(10))


def test_deleting_a_run_that_is_active_is_refused(service):
    run = service.started("a")
    answer = service.delete(run)
    assert (answer.status, answer.json["code"]) == (409, "RUN_IS_ACTIVE")
    assert state(run) == "PENDING"
    assert on_moto.active_runs("a") == 1

"""A function that dies between any two of its AWS calls leaves nothing that one pass of the reconciler does not heal.

Where an operation can die is found by letting it: after its first call, after its second, and so on, until it
lives to its end. Dying before a call is the same to the world as dying after the call before it.
"""

import contextlib
import threading

import pytest
from botocore import endpoint

from flowserverless import clock
from flowserverless.domain import runs
from flowserverless.store import bucket, group_items, run_items, table, workflow_items
from support import contest
from support import service as on_moto


class Died(BaseException):
    """The process is gone; nothing in it can catch that."""


class Process:
    """Makes AWS calls with all clients until so many were made, and then none ever again."""

    def __init__(self, life):
        self.life, self.made, self.died, self._turn = life, [], False, threading.Lock()

    def run(self, operation):
        """Run an operation until its end or its death."""
        make_request = endpoint.Endpoint.make_request

        def request(client, called, *arguments):
            with self._turn:
                if len(self.made) == self.life:
                    self.died = True
                    raise Died
                answer = make_request(client, called, *arguments)
                self.made.append(called.name)
                return answer

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Died):
            patch.setattr(endpoint.Endpoint, "make_request", request)
            operation()
        return self


def deaths(service, operation):
    """Run `operation` again and again from the same beginning, each time dying one call later; yields the calls made.

    The last one has made all its calls and dies before anybody learns what came of them.
    """
    beginning, life, now = on_moto.Snapshot(), 0, service.now
    while True:
        beginning.restore()
        service.now = now
        process = Process(life).run(operation)
        yield process.made
        if not process.died:
            return
        life += 1


@pytest.fixture
def service(invoke, monkeypatch, table, bucket, state_machine):
    contest.publish("w", contest.template(postproc=contest.POST_PROCESSING))
    contest.join("w", "a")
    return on_moto.Service(invoke, monkeypatch)


def heal(service):
    """One pass of the reconciler when nobody is on his way any more, and what it has started."""
    service.wait(1200)
    assert "failed" not in service.reconcile()
    service.carry_out_removals()
    service.carry_out_listings()


def check(scores, known):
    """Whatever happened: nothing is lost, stuck, orphaned, miscounted or there twice."""
    found = {run.id: run for run in on_moto.runs_of("a")}
    shown = workflow_items.get("w").active_run
    active = {run.id for run in found.values() if run.active} | ({shown} if shown else set())
    executions = [name for name, document in on_moto.inputs().items() if "executors" in document]
    running = {name for name in executions if on_moto.status(name) == "RUNNING"}
    assert active == running, "each active run has an execution, and no other has"
    assert set(executions) <= {*found, *known, shown}, "no execution without its run"
    assert on_moto.active_runs("a") == len(active - {shown})
    contest.check("w", on_moto.succeeded("a", scores))
    assert {key.split("/")[1] for key in stored()} <= set(found), "no object without its run"
    now = clock.now()
    # A step of theirs may still write.
    just_ended = [run for run in found.values() if run.state is runs.State.ERROR and run.finished_at == now]
    owed = {"POSTPROC": bool(shown), "RUN": len(active), "LEFT": len(just_ended)}
    assert on_moto.due() == {kind: count for kind, count in owed.items() if count}
    return found


def stored():
    return [found.key for found in bucket.listing("runs/")]


def test_start_run(service, subtests):
    calls = []
    for calls in deaths(service, lambda: service.start("a", "k")):
        with subtests.test(died_after=calls):
            written = on_moto.runs_of("a")
            heal(service)
            check({}, ())
            (run,) = written or [None]
            answer = service.start("a", "k")
            assert answer.status == 201
            assert [one.id for one in on_moto.runs_of("a")] == [answer.json["id"]] == list(on_moto.inputs())
            assert run is None or run.id == answer.json["id"]
    assert {"TransactWriteItems", "StartExecution"} <= set(calls)


def test_cancel_run(service, subtests):
    run = service.started("a")
    service.stage(run)
    calls = []
    for calls in deaths(service, lambda: service.cancel(run, "enough")):
        with subtests.test(died_after=calls):
            state = run_items.get(run).state
            heal(service)
            found = check({}, {run})
            assert found[run].state is state
            if "PutObject" in calls:
                assert bucket.cancel_mark(run) in on_moto.objects(run)
            assert service.cancel(run).status == (409 if state is runs.State.CANCELED else 200)
    assert {"PutObject", "TransactWriteItems", "StopExecution"} <= set(calls)


@pytest.mark.parametrize("retried", [True, False])
def test_update_run(service, subtests, retried):
    before, run = service.started("a"), service.started("a")
    service.succeed(before, 0.5)
    on_moto.end_execution(before, "SUCCEEDED")
    service.stage(run)
    service.write_score(run, 0.9)
    scores = {before: 0.5, run: 0.9}
    calls = []
    for calls in deaths(service, lambda: service.update(run)):
        with subtests.test(died_after=calls):
            if retried:
                assert service.update(run)["state"] == "SUCCESS"
            published = run_items.get(run).state is runs.State.SUCCESS
            on_moto.end_execution(run, "SUCCEEDED" if retried else "FAILED")
            heal(service)
            found = check(scores, {before, run})
            assert found[run].state is (runs.State.SUCCESS if published else runs.State.ERROR)
            assert service.update(run)["state"] == found[run].state
            assert workflow_items.get("w").ranking_version == (2 if published else 1)
    assert {"ListObjectsV2", "TransactWriteItems"} <= set(calls)
    assert {"PutObject", "CompleteMultipartUpload"} & set(calls)


def test_delete_run(service, subtests):
    best, other = service.started("a"), service.started("a")
    for run, score in ((best, 0.9), (other, 0.5)):
        service.succeed(run, score)
        on_moto.end_execution(run, "SUCCEEDED")
    calls = []
    for calls in deaths(service, lambda: service.delete(best)):
        with subtests.test(died_after=calls):
            gone = "TransactWriteItems" in calls
            heal(service)
            found = check({best: 0.9, other: 0.5}, {best, other})
            assert set(found) == ({other} if gone else {best, other})
            assert service.delete(best).status == (404 if gone else 204)
    assert calls.count("TransactWriteItems") == calls.count("StartExecution") == 2


def test_reconcile_runs(service, subtests):
    late, lost, gone = (service.started("a", config={"timeoutSeconds": t}) for t in (100, 3600, 3600))
    on_moto.forget_execution(lost)
    service.stage(late)
    service.succeed(gone, 0.5)
    service.delete(gone)
    for name in (gone, f"{gone}-0"):
        on_moto.end_execution(name, "SUCCEEDED")
    service.wait(200)
    calls = []
    for calls in deaths(service, service.reconcile):
        with subtests.test(died_after=calls):
            heal(service)
            found = check({}, {late, lost, gone})
            assert [str(found[run].state) for run in (late, lost)] == ["ERROR", "PENDING"]
            assert gone not in found
    assert {"PutObject", "TransactWriteItems", "StopExecution", "StartExecution"} <= set(calls)


def test_delete_group(service, subtests):
    run = service.started("a")
    service.succeed(run, 0.5)
    place = "/uploads/{groupId}/files", {"groupId": "a"}
    service.call("upload_file", "POST", *place, body={"name": "x", "size": 5, "sha256": "0" * 64})
    calls = []
    group = "/groups/{groupId}", {"groupId": "a"}
    for calls in deaths(service, lambda: service.call("delete_group", "DELETE", *group)):
        with subtests.test(died_after=calls):
            closed = group_items.closed("a") is not None
            heal(service)
            heal(service)
            if closed or len(calls) > 3:
                assert table.fetch([table.group("a"), table.member("a", on_moto.MEMBER.id)]) == {}
                assert list(table.Item.query("GROUP#a")) == []
                assert (stored(), list(bucket.listing("uploads/"))) == ([], [])
                contest.join("w", "a")
            else:
                assert service.call("delete_group", "DELETE", *group).status == 204
    assert {"TransactWriteItems", "BatchWriteItem"} <= set(calls)


def test_delete_upload(service, subtests):
    place = "/uploads/{groupId}/files", {"groupId": "a"}
    file = service.call("upload_file", "POST", *place, body={"name": "x", "size": 5, "sha256": "0" * 64}).json["id"]
    bucket.write(bucket.upload("a", file), b"12345")
    request = "/uploads/{groupId}/files/{fileId}", {"groupId": "a", "fileId": file}
    for calls in deaths(service, lambda: service.call("delete_upload", "DELETE", *request)):
        with subtests.test(died_after=calls):
            deleted = "TransactWriteItems" in calls
            service.wait(86_401)
            service.reconcile()
            left = [] if deleted else [file]
            assert [found.key for found in bucket.listing("uploads/")] == [bucket.upload("a", one) for one in left]
            assert [shown["id"] for shown in service.call("list_uploads", "GET", *place).json["files"]] == left
            assert on_moto.due() == {}

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
from support import gateway, moto_state, packages, ranking_model, scenario


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


def deaths(world, operation):
    """Run `operation` again and again from the same beginning, each time dying one call later; yields the calls made.

    The last one has made all its calls and dies before anybody learns what came of them.
    """
    beginning, life, now = moto_state.Snapshot(), 0, world.now
    while True:
        beginning.restore()
        world.now = now
        process = Process(life).run(operation)
        yield process.made
        if not process.died:
            return
        life += 1


@pytest.fixture
def world(world):
    world.now = scenario.START
    scenario.put_workflow("w", packages.ranked(postproc=packages.POST_PROCESSING))
    scenario.put_groups("w", "a")
    return world


def heal(world):
    """One pass of the reconciler when nobody is on his way any more, and what it has started."""
    world.wait(1200)
    assert "failed" not in world.reconcile()
    world.carry_out_removals()
    world.carry_out_listings()


def check(scores, known):
    """Whatever happened: nothing is lost, stuck, orphaned, miscounted or there twice."""
    found = {run.id: run for run in scenario.runs_of("a")}
    shown = workflow_items.get("w").active_run
    active = {run.id for run in found.values() if run.active} | ({shown} if shown else set())
    executions = [name for name, document in moto_state.inputs().items() if "executors" in document]
    running = {name for name in executions if moto_state.status(name) == "RUNNING"}
    assert active == running, "each active run has an execution, and no other has"
    assert set(executions) <= {*found, *known, shown}, "no execution without its run"
    assert scenario.active_runs("a") == len(active - {shown})
    ranking_model.check("w", ranking_model.succeeded("a", scores))
    assert {key.split("/")[1] for key in stored()} <= set(found), "no object without its run"
    now = clock.now()
    # A step of theirs may still write.
    just_ended = [run for run in found.values() if run.state is runs.State.ERROR and run.finished_at == now]
    owed = {"POSTPROC": bool(shown), "RUN": len(active), "LEFT": len(just_ended)}
    assert scenario.due() == {kind: count for kind, count in owed.items() if count}
    return found


def stored():
    return [found.key for found in bucket.listing("runs/")]


def test_start_run(world, subtests):
    calls = []
    for calls in deaths(world, lambda: world.try_start("a", "k")):
        with subtests.test(died_after=calls):
            written = scenario.runs_of("a")
            heal(world)
            check({}, ())
            (run,) = written or [None]
            answer = world.try_start("a", "k")
            assert answer.status == 201
            assert [one.id for one in scenario.runs_of("a")] == [answer.json["id"]] == list(moto_state.inputs())
            assert run is None or run.id == answer.json["id"]
    assert {"TransactWriteItems", "StartExecution"} <= set(calls)


def test_cancel_run(world, subtests):
    run = world.started("a")
    world.stage(run)
    calls = []
    for calls in deaths(world, lambda: world.cancel(run, "enough")):
        with subtests.test(died_after=calls):
            state = run_items.get(run).state
            heal(world)
            found = check({}, {run})
            assert found[run].state is state
            if "PutObject" in calls:
                assert bucket.cancel_mark(run) in scenario.objects(run)
            assert world.cancel(run).status == (409 if state is runs.State.CANCELED else 200)
    assert {"PutObject", "TransactWriteItems", "StopExecution"} <= set(calls)


@pytest.mark.parametrize("retried", [True, False])
def test_update_run(world, subtests, retried):
    before, run = world.started("a"), world.started("a")
    world.succeed(before, 0.5)
    moto_state.end_execution(before, "SUCCEEDED")
    world.stage(run)
    world.write_score(run, 0.9)
    scores = {before: 0.5, run: 0.9}
    calls = []
    for calls in deaths(world, lambda: world.end(run)):
        with subtests.test(died_after=calls):
            if retried:
                assert world.end(run)["state"] == "SUCCESS"
            published = run_items.get(run).state is runs.State.SUCCESS
            moto_state.end_execution(run, "SUCCEEDED" if retried else "FAILED")
            heal(world)
            found = check(scores, {before, run})
            assert found[run].state is (runs.State.SUCCESS if published else runs.State.ERROR)
            assert world.end(run)["state"] == found[run].state
            assert workflow_items.get("w").ranking_version == (2 if published else 1)
    assert {"ListObjectsV2", "TransactWriteItems"} <= set(calls)
    assert {"PutObject", "CompleteMultipartUpload"} & set(calls)


def test_delete_run(world, subtests):
    best, other = world.started("a"), world.started("a")
    for run, score in ((best, 0.9), (other, 0.5)):
        world.succeed(run, score)
        moto_state.end_execution(run, "SUCCEEDED")
    calls = []
    for calls in deaths(world, lambda: world.delete(best)):
        with subtests.test(died_after=calls):
            gone = "TransactWriteItems" in calls
            heal(world)
            found = check({best: 0.9, other: 0.5}, {best, other})
            assert set(found) == ({other} if gone else {best, other})
            assert world.delete(best).status == (404 if gone else 204)
    assert calls.count("TransactWriteItems") == calls.count("StartExecution") == 2


def test_reconcile_runs(world, subtests):
    late, lost, gone = (world.started("a", config={"timeoutSeconds": t}) for t in (100, 3600, 3600))
    moto_state.forget_execution(lost)
    world.stage(late)
    world.succeed(gone, 0.5)
    world.delete(gone)
    for name in (gone, f"{gone}-0"):
        moto_state.end_execution(name, "SUCCEEDED")
    world.wait(200)
    calls = []
    for calls in deaths(world, world.reconcile):
        with subtests.test(died_after=calls):
            heal(world)
            found = check({}, {late, lost, gone})
            assert [str(found[run].state) for run in (late, lost)] == ["ERROR", "PENDING"]
            assert gone not in found
    assert {"PutObject", "TransactWriteItems", "StopExecution", "StartExecution"} <= set(calls)


def test_delete_group(world, subtests):
    run = world.started("a")
    world.succeed(run, 0.5)
    place = "/uploads/{groupId}/files", {"groupId": "a"}
    world.ask("upload_file", "POST", *place, body={"name": "x", "size": 5, "sha256": "0" * 64})
    calls = []
    group = "/groups/{groupId}", {"groupId": "a"}
    for calls in deaths(world, lambda: world.ask("delete_group", "DELETE", *group)):
        with subtests.test(died_after=calls):
            closed = group_items.closed("a") is not None
            heal(world)
            heal(world)
            if closed or len(calls) > 3:
                assert table.fetch([table.group("a"), table.member("a", gateway.ADA.id)]) == {}
                assert list(table.Item.query("GROUP#a")) == []
                assert (stored(), list(bucket.listing("uploads/"))) == ([], [])
                scenario.put_groups("w", "a")
            else:
                assert world.ask("delete_group", "DELETE", *group).status == 204
    assert {"TransactWriteItems", "BatchWriteItem"} <= set(calls)


def test_delete_upload(world, subtests):
    place = "/uploads/{groupId}/files", {"groupId": "a"}
    file = world.ask("upload_file", "POST", *place, body={"name": "x", "size": 5, "sha256": "0" * 64}).json["id"]
    bucket.write(bucket.upload("a", file), b"12345")
    request = "/uploads/{groupId}/files/{fileId}", {"groupId": "a", "fileId": file}
    for calls in deaths(world, lambda: world.ask("delete_upload", "DELETE", *request)):
        with subtests.test(died_after=calls):
            deleted = "TransactWriteItems" in calls
            world.wait(86_401)
            world.reconcile()
            left = [] if deleted else [file]
            assert [found.key for found in bucket.listing("uploads/")] == [bucket.upload("a", one) for one in left]
            assert [shown["id"] for shown in world.ask("list_uploads", "GET", *place).json["files"]] == left
            assert scenario.due() == {}

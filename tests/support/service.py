"""The service on moto, at a time that tests set: called as people, Step Functions and schedules call it.

service = Service(invoke, monkeypatch)
run = service.started("g1")
service.write_score(run, 0.9)
assert service.update(run)["state"] == "SUCCESS"

moto records executions and never carries them out: a test plays what an execution would do, and says how it ends.
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from moto.dynamodb import models as dynamodb_models
from moto.s3 import models as s3_models
from moto.stepfunctions import models

from flowserverless import clock
from flowserverless.domain import ids, runs
from flowserverless.store import bucket, group_items, run_items, table
from flowserverless.store import due as due_index
from support import contest, gateway, policies

MEMBER = gateway.Person("u-ada", "ada")
SUCCEEDED = {"exitCode": 0, "reason": None, "messages": []}
FAILED = {"exitCode": 3, "reason": {"code": "STEP_FAILED", "detail": "step 'score': command 1 of 1 exited with 3"}}


class Service:
    """Every operation that changes runs; `now` is the time at which they are called."""

    def __init__(self, invoke: Callable[[str, dict[str, Any]], Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.invoke = invoke
        self.now: datetime = contest.START
        self.workflow = "w"
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def call(self, operation: str, *request: Any, **more: Any) -> gateway.Answer:
        """A request of the groups' only member, unless `user` says otherwise."""
        return gateway.answer(self.invoke(operation, gateway.event(*request, **{"user": MEMBER, **more})))

    def start(self, group: str, key: str | None = None, user: gateway.Person = MEMBER, **body: Any) -> gateway.Answer:
        """Start a run, perhaps with an Idempotency-Key."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        place = "/groups/{groupId}/runs", {"groupId": group}
        return self.call("start_run", "POST", *place, body={"arguments": [], **body}, headers=headers, user=user)

    def started(self, group: str, **body: Any) -> str:
        """A new run."""
        answer = self.start(group, **body)
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def cancel(self, run: str, reason: str | None = None) -> gateway.Answer:
        """Cancel a run."""
        body = {"reason": reason} if reason else None
        return self.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body=body)

    def delete(self, run: str) -> gateway.Answer:
        """Delete a run."""
        return self.call("delete_run", "DELETE", "/runs/{runId}", {"runId": run})

    def stage(self, run: str, step: int = 0) -> dict[str, Any]:
        """What the execution does before a step."""
        version = run_items.get(run).version
        event = {"run": run, "workflow": self.workflow, "version": version, "step": step, "outcome": None}
        return self.invoke("stage_step", event)

    def update(self, run: str, outcome: Mapping[str, Any] = SUCCEEDED, **more: Any) -> dict[str, Any]:
        """What the execution does after its last step."""
        event = {"run": run, "workflow": self.workflow, "outcome": dict(outcome), "failure": None, **more}
        return self.invoke("update_run", event)

    def succeed(self, run: str, score: float) -> dict[str, Any]:
        """A step has written a score, and the execution says so."""
        self.write_score(run, score)
        return self.update(run)

    def write_score(self, run: str, score: float) -> None:
        """The result file that a step leaves."""
        document = {"metrics": {"score": score}}
        # A step of the run, though a test may let it happen while a function is at work.
        with policies.asked():
            bucket.write_json(bucket.result(run, "results/score.json"), document)

    def reconcile(self) -> dict[str, int]:
        """A pass that the schedule asks for."""
        return self.invoke("reconcile_runs", {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})

    def tell(self, run: str, status: str, to: str = "reconcile_runs") -> dict[str, Any]:
        """EventBridge tells that an execution changed its status; update_run gets the detail only."""
        detail = {"executionArn": f"arn:aws:states:us-east-1:123456789012:execution:any:{run}", "name": run}
        detail["status"] = status
        if to == "update_run":
            return self.invoke(to, detail)
        return self.invoke(to, {"detail-type": "Step Functions Execution Status Change", "detail": detail})

    def remove_files(self, run: str) -> int:
        """What the execution of a removal does; answers how often it was called until nothing was left."""
        calls = 1
        while not self.invoke("remove_files", {"run": run})["done"]:
            calls += 1
        return calls

    def carry_out_removals(self) -> None:
        """Carry out all removals that were started."""
        for name, document in inputs().items():
            if set(document) in ({"run"}, {"group"}) and status(name) == "RUNNING":
                while not self.invoke("remove_files", document)["done"]:
                    pass
                end_execution(name, "SUCCEEDED")

    def carry_out_listings(self) -> None:
        """Carry out all listings of what runs had left that were started."""
        for name, document in inputs().items():
            if "executionArn" in document and status(name) == "RUNNING":
                self.invoke("update_run", document)
                end_execution(name, "SUCCEEDED")


def succeeded(group: str, scores: Mapping[str, float]) -> list[contest.Finished]:
    """What is known of the group's successful runs, whose scores are known."""
    return [ranked(run.id, scores[run.id]) for run in runs_of(group) if run.state is runs.State.SUCCESS]


def runs_of(group: str) -> list[runs.Run]:
    """All runs of a group."""
    found, more = run_items.newest(ids.Owner(group), 1000, None, None)
    assert not more
    return found


class Snapshot:
    """Everything that is stored now, to begin from it again and again."""

    def __init__(self) -> None:
        self._table = copy.deepcopy(_tables()[table.Item.Meta.table_name])
        self._objects = {found.key: bucket.read(found.key, 1 << 20) for found in bucket.listing("")}
        self._executions = [copy.deepcopy(machine.executions) for machine in _machines()]

    def restore(self) -> None:
        """Let everything be as it was."""
        _tables()[table.Item.Meta.table_name] = copy.deepcopy(self._table)
        bucket.remove([found.key for found in bucket.listing("") if found.key not in self._objects])
        for key, body in self._objects.items():
            _objects().put_object(bucket.bucket_name(), key, body)
        for machine, executions in zip(_machines(), self._executions, strict=True):
            machine.executions[:] = copy.deepcopy(executions)


def _tables() -> dict[str, Any]:
    return dynamodb_models.dynamodb_backends[gateway.ACCOUNT]["us-east-1"].tables


def _objects() -> s3_models.S3Backend:
    return s3_models.s3_backends[gateway.ACCOUNT]["aws"]


def _machines() -> list[models.StateMachine]:
    found: list[models.StateMachine] = models.stepfunctions_backends[gateway.ACCOUNT]["us-east-1"].state_machines
    return found


def _executions() -> list[models.Execution]:
    return [execution for machine in _machines() for execution in machine.executions]


def inputs() -> dict[str, dict[str, Any]]:
    """What every execution was started with, by name; a name that was started twice would be here once."""
    found = {execution.name: json.loads(execution.execution_input) for execution in _executions()}
    assert len(found) == len(_executions())
    return found


def status(name: str) -> str | None:
    """The status of an execution; None when there is none."""
    return next((execution.status for execution in _executions() if execution.name == name), None)


def end_execution(name: str, status: str, error: str | None = None, cause: str | None = None) -> None:
    """Let an execution end; whether anybody is told is another matter."""
    (execution,) = (one for one in _executions() if one.name == name)
    execution.status, execution.error, execution.cause = status, error, cause


def forget_execution(name: str) -> None:
    """As if an execution had never been started."""
    for machine in _machines():
        machine.executions[:] = [one for one in machine.executions if one.name != name]


def active_runs(group: str) -> int:
    """How many active runs the group's counter says there are, which has to be how many there are."""
    counted = group_items.get(group).active_runs
    assert counted == sum(run.active for run in runs_of(group))
    return int(counted)


def ranked(run: str, score: float) -> contest.Finished:
    """What is known of a run that succeeded with a score."""
    stored = run_items.get(run)
    assert stored.state is runs.State.SUCCESS
    return contest.Finished(run, str(stored.group), stored.finished_at, contest.outcome(score=score))


def objects(run: str) -> list[str]:
    """The keys of all objects of a run."""
    return [found.key for found in bucket.listing(bucket.run(run))]


def write_empty(keys: Iterable[str]) -> None:
    """Put many empty objects, past S3's interface because there they would take half a minute."""
    for key in keys:
        _objects().put_object(bucket.bucket_name(), key, b"")


def due() -> dict[str, int]:
    """How many items stand in the index of what somebody must come back to, by kind."""
    counts = {kind: sum(1 for _ in due_index.Item.index.query(kind)) for kind in due_index.Kind}
    return {kind: count for kind, count in counts.items() if count}

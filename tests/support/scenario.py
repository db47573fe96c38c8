"""The service deployed on moto: people call its operations, and tests play what executions would do.

world.publish(packages.DELIVERED)
run = world.start_external()
world.write(run, {"results/scores.json": b'{"score": 1}'})
assert world.end(run)["state"] == "SUCCESS"

A `World` does everything by the operations themselves. The functions of this module put workflows, groups and runs
straight into the table, which takes a test a tenth of the time:

scenario.put_workflow("w")
scenario.put_groups("w", "g")
run = scenario.put_run("w", "g")
scenario.end_run(run, score=0.9, seconds=12)

moto records executions and never carries them out: a test plays what an execution would do, and says how it ends.
"""

import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowserverless import clock
from flowserverless.aws import step_functions
from flowserverless.domain import groups, ids, moments, runs, versions
from flowserverless.domain.ranking import results
from flowserverless.domain.templates import templates
from flowserverless.store import boards, bucket, group_items, members, run_items, table, version_items, workflow_items
from flowserverless.store import due as due_index
from support import aws_clients, gateway, iam, moto_state, packages

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SUCCEEDED = {"exitCode": 0, "reason": None, "messages": [], "startedAt": None, "finishedAt": None}
FAILED = {"exitCode": 3, "reason": {"code": "STEP_FAILED", "detail": "step 'score': command 1 of 1 exited with 3"}}

_numbers = itertools.count(1)


class World:
    """An account; the time is the computer's until a test sets `now`.

    `waiting` holds tokens of executions that wait for an external engine, `resumed` what they were told to go on with.
    """

    def __init__(self, invoke: Callable[[str, dict[str, Any]], Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.invoke = invoke
        self.now: datetime | None = None
        self.s3 = aws_clients.of("s3")
        self.bucket = os.environ["BUCKET_NAME"]
        self.waiting: set[str] = set()
        self.resumed: list[dict[str, Any]] = []
        monkeypatch.setattr(clock, "now", lambda: self.now or datetime.now(UTC))
        monkeypatch.setattr(step_functions, "resume", self._resume)

    def _resume(self, token: str, output: dict[str, Any]) -> bool:
        if token not in self.waiting:
            return False
        self.waiting.remove(token)
        self.resumed.append(json.loads(json.dumps(output)))
        return True

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        assert self.now, "a clock that goes by itself"
        self.now += timedelta(seconds=seconds)

    def ask(
        self,
        operation: str,
        method: str,
        resource: str,
        parameters: Mapping[str, str] | None = None,
        query: Mapping[str, str | Sequence[str]] | None = None,
        user: gateway.Person | None = gateway.ADA,
        **sent: Any,
    ) -> gateway.Answer:
        """Call an operation as a user; whatever it answers."""
        event = gateway.event(method, resource, parameters, query, user=user, **sent)
        return gateway.answer(self.invoke(operation, event))

    def call(
        self,
        operation: str,
        method: str,
        resource: str,
        parameters: Mapping[str, str],
        status: int | None = None,
        **sent: Any,
    ) -> gateway.Answer:
        """Call an operation as a user; without `status` it has to succeed."""
        answer = self.ask(operation, method, resource, parameters, **sent)
        assert answer.status == status if status else answer.status < 400, answer.body
        return answer

    def publish(
        self,
        template: Mapping[str, Any],
        name: str = "bench",
        files: Mapping[str, bytes] | None = None,
        executable: Collection[str] = (),
    ) -> None:
        """Publish a workflow with one group, which has the workflow's id."""
        key = f"inbox/workflows/{name}.zip"
        self.put(key, packages.package(template, files, executable))
        report = self.invoke("publish_workflow", packages.dropped(self.bucket, key))
        assert report["status"] == "accepted", report
        event = {"name": f"Group of {name}", "identifier": name}
        self.call("create_group", "POST", "/workflows/{workflowId}/groups", {"workflowId": name}, body=event)

    def try_start(
        self, group: str, key: str | None = None, headers: Mapping[str, str] | None = None, **sent: Any
    ) -> gateway.Answer:
        """Ask for a run, perhaps with an Idempotency-Key; whatever is answered."""
        user = {"user": sent.pop("user")} if "user" in sent else {}
        headers = {**(headers or {}), **({"Idempotency-Key": key} if key is not None else {})}
        place = "/groups/{groupId}/runs", {"groupId": group}
        return self.ask("start_run", "POST", *place, body={"arguments": [], **sent}, headers=headers, **user)

    def start(self, group: str = "bench", arguments: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
        """Start a run; the handle."""
        answer = self.try_start(group, arguments=list(arguments), **more)
        assert answer.status == 201, answer.body
        handle: dict[str, Any] = answer.json
        return handle

    def started(self, group: str, **more: Any) -> str:
        """Start a run; its id."""
        return str(self.start(group, **more)["id"])

    def start_external(self) -> str:
        """A run whose execution waits for an external engine."""
        run = str(self.start(config={"engine": "external"})["id"])
        self.await_results(run)
        return run

    def await_results(self, run: str) -> dict[str, Any]:
        """What the execution does when it comes to wait."""
        self.waiting.add(f"token of {run}")
        answer: dict[str, Any] = self.invoke("await_results", {"run": run, "token": f"token of {run}"})
        return answer

    def run(self, run: str, user: gateway.Person = gateway.ADA) -> dict[str, Any]:
        """The run's handle."""
        handle: dict[str, Any] = self.call("get_run", "GET", "/runs/{runId}", {"runId": run}, user=user).json
        return handle

    def cancel(self, run: str, reason: str | None = None) -> gateway.Answer:
        """Cancel a run."""
        body = {"reason": reason} if reason else None
        return self.ask("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body=body)

    def delete(self, run: str) -> gateway.Answer:
        """Delete a run."""
        return self.ask("delete_run", "DELETE", "/runs/{runId}", {"runId": run})

    def stage(self, run: str, step: int = 0, outcome: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the execution does before a step."""
        stored = run_items.get(run)
        event = {"run": run, "workflow": stored.workflow, "version": stored.version, "step": step, "outcome": outcome}
        answer: dict[str, Any] = self.invoke("stage_step", event)
        return answer

    def end(self, run: str, outcome: Mapping[str, Any] | None = SUCCEEDED, **more: Any) -> dict[str, Any]:
        """What the execution does after its last step."""
        event = {"run": run, "outcome": outcome and dict(outcome), "failure": None, **more}
        answer: dict[str, Any] = self.invoke("update_run", event)
        return answer

    def succeed(self, run: str, score: float) -> dict[str, Any]:
        """A step has written a score, and the execution says so."""
        self.write_score(run, score)
        return self.end(run)

    def write_score(self, run: str, score: float) -> None:
        """The result file that a step leaves."""
        document = {"metrics": {"score": score}}
        # A step of the run, though a test may let it happen while a function is at work.
        with iam.asked():
            bucket.write_json(bucket.result(run, "results/score.json"), document)

    def write(self, run: str, files: Mapping[str, bytes | str]) -> None:
        """What the steps of a run leave in S3."""
        for path, content in files.items():
            self.put(f"runs/{run}/files/{path}", content)

    def put(self, key: str, body: bytes | str = b"") -> None:
        """Put an object."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        """An object's content."""
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def listed(self, prefix: str = "") -> list[str]:
        """The keys below a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

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
        for name, document in moto_state.inputs().items():
            if set(document) in ({"run"}, {"group"}) and moto_state.status(name) == "RUNNING":
                while not self.invoke("remove_files", document)["done"]:
                    pass
                moto_state.end_execution(name, "SUCCEEDED")

    def carry_out_listings(self) -> None:
        """Carry out all listings of what runs had left that were started."""
        for name, document in moto_state.inputs().items():
            if "executionArn" in document and moto_state.status(name) == "RUNNING":
                self.invoke("update_run", document)
                moto_state.end_execution(name, "SUCCEEDED")


def put_workflow(workflow: str = "w", document: Mapping[str, Any] = packages.RANKED) -> versions.Version:
    """Publish a template as the service does; its version is the digest of its content."""
    parsed = templates.parse(document)
    digest = hashlib.sha256(json.dumps(parsed.document, sort_keys=True).encode()).hexdigest()
    version = versions.Version(workflow, digest[:16], workflow.title(), parsed.document, START)
    published, _ = version_items.publish(version)
    return published


def put_groups(workflow: str, *names: str) -> None:
    """Create groups, each with one member."""
    for name in names:
        head = workflow_items.get(workflow)
        group_items.create(new_group(workflow, name), {gateway.ADA.id: gateway.ADA.name}, head)


def new_group(workflow: str, identifier: str, owner: str = gateway.ADA.id, **further: Any) -> groups.Group:
    """A group as it is when it is new."""
    return groups.Group(identifier, workflow, f"Group {identifier}", owner, START, **further)


def enrol(group: str, user: str, name: str) -> None:
    """List a member straight in the table, past all rules; the user's own list does not show the group."""
    members.to_item(group, groups.Member(user, name)).save()


def dismiss(group: str, user: str) -> None:
    """Take a member off a group straight in the table, past all rules."""
    members.to_item(group, groups.Member(user, "")).delete()


def show_group_to(group: groups.Group, user: str) -> None:
    """Let a user's own list show a group."""
    group_items.user_line_item(group, user).save()


def deleted_post_processing(workflow: str) -> list[str]:
    """The runs of a workflow's post-processing that were deleted, and of which objects may be left."""
    partition, prefix = table.gone(ids.RunId(ids.Owner(workflow, post_processing=True), ""))
    return [item.run for item in table.GoneItem.query(partition, table.GoneItem.sk.startswith(prefix))]


def put_run(workflow: str, group: str) -> str:
    """A new active run."""
    number = next(_numbers)
    run = runs.Run(
        id=str(ids.RunId(ids.Owner(group), ids.ulid(1_795_413_600_000 + number, number.to_bytes(10)))),
        workflow=workflow,
        version=workflow_items.get(workflow).version,
        state=runs.State.PENDING,
        created_at=moment(0),
        deadline=moment(86400),
        group=group,
        started_by=gateway.ADA.id,
        executors=("lambda",),
        steps=(runs.Step("score"),),
    )
    run_items.create(run, None, 1000)
    return run.id


def outcome(
    score: Any = math.nan, seconds: int | None = None, note: str | None = None, failing: str | None = None
) -> boards.Measurement:
    """What a run comes to: values, or the reason `failing` for not being ranked."""
    return results.NotRanked(failing, "as the test wants it") if failing else (score, seconds, note)


def end_run(
    run_id: str, at: float = 60, measure: boards.Measure | None = None, workflow: str = "w", **values: Any
) -> run_items.Ended:
    """Let a run succeed with given values, the same on every board, or with what `measure` says."""
    told = outcome(**values)
    return run_items.finish(
        run_id,
        workflow,
        lambda run: runs.end(run, runs.State.SUCCESS, moment(at)),
        measure or (lambda board: (packages.SCHEMA, told)),
    )


def delete_run(run_id: str, at: float = 90, workflow: str = "w") -> bool:
    """Delete a run that has ended; says whether the ranking changed."""
    return run_items.delete(run_id, workflow, moment(at))


def moment(seconds: float) -> datetime:
    """The moment this many seconds after `START`."""
    return START + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    """The same as text."""
    return moments.text(moment(seconds))


def runs_of(group: str) -> list[runs.Run]:
    """All runs of a group."""
    found, more = run_items.newest(ids.Owner(group), 1000, None, None)
    assert not more
    return found


def active_runs(group: str) -> int:
    """How many active runs the group's counter says there are, which has to be how many there are."""
    counted = group_items.get(group).active_runs
    assert counted == sum(run.active for run in runs_of(group))
    return int(counted)


def objects(run: str) -> list[str]:
    """The keys of all objects of a run."""
    return [found.key for found in bucket.listing(bucket.run(run))]


def due() -> dict[str, int]:
    """How many items stand in the index of what somebody must come back to, by kind."""
    counts = {kind: sum(1 for _ in due_index.Item.index.query(kind)) for kind in due_index.Kind}
    return {kind: count for kind, count in counts.items() if count}

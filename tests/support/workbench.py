"""Workflows, groups and runs made by the functions themselves on moto, with no execution but what the test plays.

bench = workbench.Bench(invoke, monkeypatch)
bench.publish(workbench.DELIVERED)
run = bench.start(config={"engine": "external"})
"""

import io
import json
import os
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pytest

from flowserverless.aws import step_functions
from support import aws_clients, gateway

STEP = {"name": "work", "action": {"environment": "python:3.13", "commands": ["true"]}}
SCORES = {
    "file": "results/scores.json",
    "schema": [{"name": "score", "label": "Score", "dtype": "float"}],
}
# A workflow that an engine outside may execute; it promises two files and is ranked by one of them.
DELIVERED = {
    "flowserverless": {"external": True},
    "workflow": {"steps": [STEP]},
    "outputs": [
        {"source": "results/scores.json", "title": "Scores"},
        {"source": "results/plots/", "title": "Plots"},
    ],
    "results": SCORES,
}


def package(
    template: Mapping[str, Any], files: Mapping[str, bytes] | None = None, executable: Collection[str] = ()
) -> bytes:
    """A package with this template and files; a name that ends in a slash is a folder."""
    listed = [{"source": name, "target": name} for name in files or {}]
    manifest = {"name": "Bench", "specfile": "workflow.json", "files": listed}
    content = {"flowserv.json": json.dumps(manifest), "workflow.json": json.dumps(template), **(files or {})}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in content.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o755 if name in executable else 0o644) << 16
            archive.writestr(member, body)
    return buffer.getvalue()


def dropped(bucket: str, key: str) -> dict[str, Any]:
    """What EventBridge tells of a new object."""
    return {"detail-type": "Object Created", "detail": {"bucket": {"name": bucket}, "object": {"key": key}}}


class Bench:
    """An account with one user's group; `resumed` holds what executions were told to go on with."""

    def __init__(self, invoke: Callable[[str, dict[str, Any]], Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.invoke = invoke
        self.s3 = aws_clients.of("s3")
        self.bucket = os.environ["BUCKET_NAME"]
        self.waiting: set[str] = set()
        self.resumed: list[dict[str, Any]] = []
        monkeypatch.setattr(step_functions, "resume", self._resume)

    def _resume(self, token: str, output: dict[str, Any]) -> bool:
        if token not in self.waiting:
            return False
        self.waiting.remove(token)
        self.resumed.append(json.loads(json.dumps(output)))
        return True

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

    def publish(
        self,
        template: Mapping[str, Any],
        name: str = "bench",
        files: Mapping[str, bytes] | None = None,
        executable: Collection[str] = (),
    ) -> None:
        """Publish a workflow with one group, which has the workflow's id."""
        key = f"inbox/workflows/{name}.zip"
        self.put(key, package(template, files, executable))
        report = self.invoke("publish_workflow", dropped(self.bucket, key))
        assert report["status"] == "accepted", report
        event = {"name": f"Group of {name}", "identifier": name}
        self.call("create_group", "POST", "/workflows/{workflowId}/groups", {"workflowId": name}, body=event)

    def call(
        self,
        operation: str,
        method: str,
        resource: str,
        parameters: Mapping[str, str],
        status: int | None = None,
        user: gateway.Person | None = gateway.ADA,
        **sent: Any,
    ) -> gateway.Answer:
        """Call an operation; without `status` it has to succeed."""
        answer = gateway.answer(self.invoke(operation, gateway.event(method, resource, parameters, user=user, **sent)))
        assert answer.status == status if status else answer.status < 400, answer.body
        return answer

    def start(
        self,
        group: str = "bench",
        arguments: Sequence[Any] = (),
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> dict[str, Any]:
        """Start a run; the handle."""
        sent = {"arguments": list(arguments), **body}
        handle: dict[str, Any] = self.call(
            "start_run", "POST", "/groups/{groupId}/runs", {"groupId": group}, body=sent, headers=headers
        ).json
        return handle

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

    def end(self, run: str, **event: Any) -> dict[str, Any]:
        """What the execution does when the last step has ended."""
        outcome = {"exitCode": 0, "reason": None, "messages": [], "startedAt": None, "finishedAt": None}
        answer: dict[str, Any] = self.invoke("update_run", {"run": run, "outcome": outcome, "failure": None, **event})
        return answer

    def write(self, run: str, files: Mapping[str, bytes | str]) -> None:
        """What the steps of a run leave in S3."""
        for path, content in files.items():
            self.put(f"runs/{run}/files/{path}", content)

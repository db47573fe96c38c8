"""The deployed stack under bad conditions: services that fail, and steps that do not want to end."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from typing import Any

import pytest

from local import emulator, stack
from support import functions, http, processes

CLIENTS = 6
RUNS = 10
CHAOS_SECONDS = 600

SCORED: dict[str, Any] = {
    "workflow": {
        "parameters": {"score": "$[[score]]"},
        "steps": [http.step("score", "mkdir -p out", 'echo "{\\"score\\": ${score}}" > out/score.json')],
    },
    "parameters": [{"name": "score", "dtype": "int"}],
    "outputs": [{"source": "out/score.json"}],
    "results": {
        "file": "out/score.json",
        "schema": [{"name": "score", "label": "Score", "dtype": "int"}],
        "orderBy": [{"name": "score"}],
    },
}
STUBBORN: dict[str, Any] = {
    "workflow": {
        "parameters": {"marker": "$[[marker]]"},
        "steps": [http.step("stay", '${python} code/stubborn.py "${marker}"')],
    },
    "parameters": [{"name": "marker", "dtype": "string"}],
}
STUBBORN_CODE = """\
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
os.fork()
while True:
    time.sleep(1)
"""
FINAL = ("SUCCESS", "ERROR", "CANCELED")
PROXIED = ("StartRun", "StageStep", "UpdateRun", "PostProcess", "ReconcileRuns")
FAULTS = [
    {"probability": 0.08, "error": {"status": 500, "code": "InternalServerError"}},
    {"probability": 0.08, "latency": {"min": 100, "max": 600}},
]
THROTTLES = {
    "dynamodb": {"code": "ProvisionedThroughputExceededException"},
    "s3": {"code": "SlowDown", "status": 503},
    "stepfunctions": {"code": "ThrottlingException"},
    "lambda": {"code": "TooManyRequestsException"},
}


@pytest.fixture
def proxy(deployed: stack.Stack, tmp_path: pathlib.Path) -> Iterator[str | None]:
    """The address of a proxy before the emulator that lets a fifth of the calls to AWS services fail or wait."""
    if deployed.endpoint_url is None:
        # Nobody can come between a function in AWS and its services.
        yield None
        return
    faults = [{"service": name, "probability": 0.08, "error": error} for name, error in THROTTLES.items()]
    faults += [{"service": name, **fault} for name in THROTTLES for fault in FAULTS]
    config = tmp_path / "faults.json"
    config.write_text(json.dumps({"rules": faults}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "microburst", "--no-resign", "--config", str(config)]
    with (tmp_path / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--upstream", deployed.endpoint_url, "--port", str(port)], stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        http.until(lambda: answers(f"{url}/_microburst/health"), bool, 30)
        with calling_through(deployed, url):
            yield url
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return http.request("GET", url).status == 200
    return False


@contextlib.contextmanager
def calling_through(deployed: stack.Stack, url: str) -> Iterator[None]:
    """Let all functions that begin, advance and end runs call AWS through a proxy."""
    # A proxy in HTTP's sense, and not another endpoint: what is signed is the name of the host.
    through = {"HTTP_PROXY": url, "http_proxy": url}
    for name in PROXIED:
        functions.configure(deployed, name, through)
    try:
        yield
    finally:
        for name in PROXIED:
            functions.configure(deployed, name, dict.fromkeys(through, ""))


@dataclass(frozen=True)
class Client:
    """One who starts runs, and starts them again with the same key when that did not work."""

    number: int
    user: http.Visitor
    group: str

    def start(self) -> dict[str, int]:
        """Start all runs, one after the other; their scores by id."""
        return {self._start(score): score for score in range(self.number, CLIENTS * RUNS, CLIENTS)}

    def _start(self, score: int) -> str:
        body = {"arguments": [{"name": "score", "value": score}]}
        for _ in range(10):
            reply = self.user.call("POST", f"groups/{self.group}/runs", body, Idempotency_Key=f"run {score}")
            if reply.status == 201:
                return str(reply.json["id"])
            # A function that waited for too long is a gateway's 502 or 504.
            assert reply.status in (500, 502, 503, 504), (reply.status, reply.body)
        raise AssertionError(f"no answer but {reply.status}: {reply.body!r}")

    def runs(self) -> dict[str, Any]:
        """All runs of the group, by id."""
        return {run["id"]: run for run in self.user.get(f"groups/{self.group}/runs?limit=100")["runs"]}


def test_chaos_loses_no_run(deployed: stack.Stack, service: http.Visitor, proxy: str | None) -> None:
    """60 runs by 6 clients at once, while services fail; what the schedule does every few minutes is done here."""
    workflow = http.publish(deployed, SCORED)
    users = [http.register(service) for _ in range(CLIENTS)]
    clients = [Client(number, user, user.group(workflow)) for number, user in enumerate(users)]
    with futures.ThreadPoolExecutor(CLIENTS) as pool:
        scores = [pool.submit(client.start) for client in clients]
        started = {run: score for one in scores for run, score in one.result().items()}
    assert len(started) == CLIENTS * RUNS

    reconciler = functions.named(deployed, "ReconcileRuns")
    through = emulator.client("lambda", proxy)

    def look() -> dict[str, Any]:
        through.invoke(FunctionName=reconciler, Payload=b"{}")["Payload"].read()
        return {run: handle for client in clients for run, handle in client.runs().items()}

    def over(found: dict[str, Any]) -> bool:
        return all(run["state"] in FINAL for run in found.values())

    ended = http.until(look, over, CHAOS_SECONDS)
    assert set(ended) == set(started), "none is lost, and none was started twice"
    machine = deployed.client("stepfunctions").get_paginator("list_executions")
    pages = machine.paginate(stateMachineArn=deployed.state_machine_arn)
    executed = [one["name"] for page in pages for one in page["executions"]]
    assert sorted(name for name in executed if name in started) == sorted(started)

    good = {run for run, handle in ended.items() if handle["state"] == "SUCCESS"}
    owners = {run: client.user for client in clients for run in started if run.endswith(f"-{client.group}")}
    failed = {run: owners[run].get(f"runs/{run}") for run in ended if run not in good}
    assert len(good) > 0.8 * len(ended), failed
    assert all(run["messages"] and run["reason"]["code"] for run in failed.values()), "who fails says why"
    expected = sorted(good, key=lambda run: -started[run])
    assert ranking(service, workflow, "&includeAll=true") == expected
    best = {run.split("-")[1]: run for run in reversed(expected)}
    assert ranking(service, workflow) == sorted(best.values(), key=expected.index)
    if proxy:
        requests = http.Visitor(proxy).get("_microburst/stats")["requests"]
        assert requests["faulted"] > 0.15 * requests["total"] > 0, requests


def ranking(service: http.Visitor, workflow: str, more: str = "") -> list[str]:
    """The runs of a leaderboard in its order."""
    return [line["run"]["id"] for line in service.get(f"workflows/{workflow}/leaderboard?limit=100{more}")["ranking"]]


def test_a_step_that_ignores_signals_and_forks_is_gone_5_seconds_after_it_was_canceled(
    deployed: stack.Stack, service: http.Visitor
) -> None:
    """Its processes are looked for where they can be seen: on this machine, not in AWS."""
    marker = f"stubborn-{uuid.uuid4().hex}"
    workflow = http.publish(deployed, STUBBORN, code__stubborn_dot_py=STUBBORN_CODE)
    user = http.register(service)
    run = user.start(user.group(workflow), marker=marker)
    if deployed.endpoint_url:
        http.until(lambda: processes.alive(marker), lambda found: len(found) == 4, 120)
    else:
        http.until(lambda: user.get(f"runs/{run}"), lambda handle: handle["state"] == "RUNNING", 120)
    canceled = user.call("PUT", f"runs/{run}", {"reason": "enough"})
    assert (canceled.status, canceled.json["state"]) == (200, "CANCELED")
    http.until(lambda: processes.alive(marker), lambda found: not found, 5)
    assert user.get(f"runs/{run}")["state"] == "CANCELED"


@pytest.fixture(scope="module")
def persistent(deploy: Callable[..., stack.Stack]) -> stack.Stack:
    """A stack on an emulator that can be stopped and started again."""
    return deploy("persistent", {"GraceSeconds": "0"}, keep=True)


def test_runs_outlive_the_death_of_what_executes_their_steps(deployed: stack.Stack, service: http.Visitor) -> None:
    """Killed is the host of the function that runs the step, which is a process of this machine."""
    marker = f"stubborn-{uuid.uuid4().hex}"
    workflow = http.publish(deployed, STUBBORN, code__stubborn_dot_py=STUBBORN_CODE)
    user = http.register(service)
    group = user.group(workflow)
    run = user.start(group, marker=marker)
    http.until(lambda: processes.alive(marker), bool, 120)
    os.kill(processes.host(marker), signal.SIGKILL)
    ended = user.finished(run)
    assert (ended["state"], ended["reason"]["code"]) == ("ERROR", "SYSTEM_ERROR")
    assert ended["messages"]


def test_runs_outlive_a_restart_of_everything(persistent: stack.Stack, worker_id: str) -> None:
    """Executions do not go on after a restart of the emulator; their runs end all the same."""
    user = http.register(http.Visitor(persistent.api_url))
    workflow = http.publish(persistent, SCORED)
    slow = http.publish(persistent, STUBBORN, code__stubborn_dot_py=STUBBORN_CODE)
    group = user.group(workflow)
    good = user.finished(user.start(group, score=7))
    waiting = user.call(
        "POST",
        f"groups/{user.group(slow)}/runs",
        {"arguments": [{"name": "marker", "value": "restarted"}], "config": {"timeoutSeconds": 10}},
    ).json["id"]
    http.until(lambda: user.get(f"runs/{waiting}"), lambda handle: handle["state"] == "RUNNING", 60)

    home = emulator.STATE / f"test-persistent-{worker_id}"
    assert emulator.stop(home)
    assert emulator.start(home, with_caller=True).url == persistent.endpoint_url

    assert user.get(f"runs/{good['id']}") == good
    assert ranking(user, workflow) == [good["id"]]
    assert user.follow(f"runs/{good['id']}/downloads/archive").status == 200
    reconciler = functions.named(persistent, "ReconcileRuns")

    def look() -> Any:
        persistent.client("lambda").invoke(FunctionName=reconciler, Payload=b"{}")["Payload"].read()
        return user.get(f"runs/{waiting}")

    ended = http.until(look, lambda handle: handle["state"] in FINAL, 60)
    assert (ended["state"], ended["reason"]["code"]) == ("ERROR", "TIMEOUT")
    assert user.finished(user.start(group, score=9))["state"] == "SUCCESS"
    assert len(ranking(user, workflow)) == 1

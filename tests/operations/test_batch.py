"""Steps in AWS Batch: what is ordered, who gets a manifest when, and how a job's outcome is read."""

import base64
import json

import pytest

from flowserverless.domain import moments, runs
from flowserverless.operations import batch_jobs
from flowserverless.store import run_items
from support import gateway, packages

API = "https://api.test/v1"
ROUTE = "/runs/{runId}/jobs/{jobId}"
JOB = {
    "workflow": {
        "parameters": {"text": "$[[text]]"},
        "steps": [
            {
                "name": "count",
                "action": {"environment": "r-base:4.4", "commands": ["wc -w"]},
                "resources": {"vcpu": 1, "memory": 4096},
            },
            packages.STEP,
        ],
    },
    "parameters": [{"name": "text", "dtype": "string", "defaultValue": "a b"}],
    "outputs": [{"source": "count.txt"}],
}
OUTCOME = {
    "exitCode": 0,
    "reason": None,
    "startedAt": "2026-11-23T06:00:10.000000+00:00",
    "finishedAt": "2026-11-23T06:00:20.000000+00:00",
    "messages": [],
}


@pytest.fixture
def world(world, monkeypatch):
    monkeypatch.setenv("BATCH", "true")
    monkeypatch.setenv("API_URL", API)
    monkeypatch.setattr(batch_jobs, "_program", lambda: b"the program")
    world.publish(JOB)
    return world


@pytest.fixture
def run(world):
    return world.start(config={"timeoutSeconds": 7200})["id"]


def stage(world, run, step=0, outcome=None):
    version = run_items.get(run).version
    event = {"run": run, "workflow": "bench", "version": version, "step": step, "outcome": outcome}
    return world.invoke("stage_step", event)


def ask(world, run, job):
    """What the containers of a job ask, as strangers."""
    return gateway.answer(world.invoke("get_job_manifest", gateway.event("GET", ROUTE, {"runId": run, "jobId": job})))


def job_of(order):
    url = order["fetch"][3]
    return url.rpartition("/")[2]


def test_a_job_is_ordered_in_place_of_a_manifest(world, run, capsys):
    order = stage(world, run)["job"]
    assert job_of(order) not in capsys.readouterr().out, "nor does whoever reads the log"
    assert order["image"] == "r-base:4.4"
    assert (order["vcpu"], order["memory"]) == ("0.5", "4608")
    assert 7200 < order["seconds"] <= 7200 + 900
    assert order["step"] == ["/bin/sh", "/room/step.sh"]
    assert [order[name][4] for name in ("fetch", "deliver")] == ["fetch", "deliver"]
    assert order["fetch"][3] == order["deliver"][3] == f"{API}/runs/{run}/jobs/{job_of(order)}"
    assert run_items.get(run).steps[0].state is runs.State.RUNNING
    assert job_of(order) not in str(world.listed()), "whoever lists the bucket does not learn the secret"
    assert "manifestUrl" not in stage(world, run)


def test_a_job_gets_a_manifest_with_the_program_and_new_urls_every_time(world, run):
    job = job_of(stage(world, run)["job"])
    answer = ask(world, run, job)
    assert answer.status == 302
    manifest = json.loads(world.get(f"runs/{run}/manifests/000.json"))
    assert f"runs/{run}/manifests/000.json?" in answer.headers["location"]
    assert base64.b64decode(manifest["program"]) == b"the program"
    assert (manifest["commands"], manifest["variables"]) == (["wc -w"], {"text": "a b"})
    assert manifest["outcome"]["key"] == f"runs/{run}/outcomes/000.json"
    assert ask(world, run, job).status == 302


def test_strangers_get_no_manifest(world, run):
    job = job_of(stage(world, run)["job"])
    other = world.start()["id"]
    for who, secret in (
        (run, job[:-1] + ("x" if job[-1] != "x" else "y")),
        (run, "000"),
        (run, "000-"),
        (run, "../" + job),
        (run, "001" + job[3:]),
        (run, job + "x"),
        (other, job),
        (f"{run.partition('-')[0]}-another", job),
    ):
        answer = ask(world, who, secret)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json"), secret
        assert answer.json["detail"].startswith("there is no such "), "which runs exist is not told"


def test_a_run_that_has_ended_hands_out_no_manifest(world, run):
    job = job_of(stage(world, run)["job"])
    world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run})
    assert ask(world, run, job).status == 409


def test_the_outcome_of_a_job_is_that_of_its_step(world, run):
    stage(world, run)
    # Whatever else a job leaves there is no word of ours.
    world.put(f"runs/{run}/outcomes/000.json", json.dumps({**OUTCOME, "python": ["3.13"]}))
    assert "manifestUrl" in stage(world, run, 1, {"job": 0})
    steps = run_items.get(run).steps
    assert steps[0].python is None
    assert (steps[0].state, steps[0].exit_code, steps[0].started_at) == (
        "SUCCESS",
        0,
        moments.read(OUTCOME["startedAt"]),
    )
    assert steps[1].state is runs.State.RUNNING


def ended(world, run, outcome, failure=None):
    world.invoke("update_run", {"run": run, "workflow": "bench", "outcome": outcome, "failure": failure})
    return run_items.get(run)


FAILURE = {"Error": "States.TaskFailed", "Cause": json.dumps({"JobId": "1", "StatusReason": "Host terminated"})}


def test_what_a_step_says_counts_more_than_what_batch_says(world, run):
    stage(world, run)
    said = {**OUTCOME, "exitCode": 3, "reason": {"code": "STEP_FAILED", "detail": "command 1"}, "messages": ["oh"]}
    world.put(f"runs/{run}/outcomes/000.json", json.dumps(said))
    world.put(f"runs/{run}/files/partial.txt", "x")
    found = ended(world, run, {"job": 0}, FAILURE)
    assert (found.state, found.reason) == ("ERROR", runs.Reason("STEP_FAILED", "command 1"))
    assert found.messages == ("command 1", "oh")
    assert (found.steps[0].exit_code, [file.name for file in found.files]) == (3, ["partial.txt"])


@pytest.mark.parametrize(
    "left",
    [
        None,
        b"",
        b"no json",
        b"[]",
        b"{" * 10_000,
        b'{"reason": 1}',
        b'{"reason": {"code": 1}}',
        b'{"messages": 1}',
        b'{"exitCode": "0"}',
        b'{"startedAt": {}}',
        b"\xff",
    ],
)
def test_without_a_sound_outcome_the_reason_is_that_of_batch(world, run, left):
    stage(world, run)
    if left is not None:
        world.put(f"runs/{run}/outcomes/000.json", left)
    found = ended(world, run, {"job": 0}, FAILURE)
    assert (found.state, found.reason.code) == ("ERROR", "SYSTEM_ERROR")
    assert "Host terminated" in found.reason.detail


def test_urls_of_a_job_do_not_outlive_what_signs_them(world):
    run = world.start(config={"timeoutSeconds": 86_400})["id"]
    job = job_of(stage(world, run)["job"])
    location = ask(world, run, job).headers["location"]
    assert "X-Amz-Expires=22500" in location

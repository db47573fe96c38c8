"""Steps in AWS Batch on the deployed stack, with its real state machines; only Batch itself is a double.

The emulator cannot deploy Batch. So the stack is told that it has Batch, and what the state machines ask of
Batch goes to a function of ours (tests/support/batch.py) which runs the containers as processes.
"""

import io
import json
import pathlib
import re
import tarfile
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from local import emulator, stack
from support import functions, http, processes

DOUBLE = emulator.PROJECT / "tests" / "support" / "batch.py"
# What the stack is deployed with says that it has no queue; and nobody has to wait here until Fargate has begun.
AS_IF = {"'none' !=": "'queue' !=", "10 + ": "1 + ", '"pause": 10': '"pause": 1'}
R = {"environment": "r-base:4.4"}
TEMPLATE: dict[str, Any] = {
    "workflow": {
        "parameters": {"words": "$[[words]]", "fail": "$[[fail]]", "seconds": "$[[seconds]]"},
        "steps": [
            http.step("prepare", 'printf %s "${words}" > prepared.txt'),
            {
                "name": "count",
                "action": {
                    **R,
                    "commands": [
                        "wc -w < prepared.txt > count.txt; echo counted",
                        "sh -c 'sleep \"$0\"; : $1' ${seconds} ${words}",
                        "exit ${fail}",
                    ],
                },
                "resources": {"vcpu": 2, "memory": 4096, "timeoutSeconds": 600},
            },
            http.step("report", "mkdir -p out", "printf '{\"count\": %d}' $(cat count.txt) > out/count.json"),
        ],
    },
    "parameters": [
        {"name": "words", "dtype": "string"},
        {"name": "fail", "dtype": "int", "defaultValue": 0},
        {"name": "seconds", "dtype": "int", "defaultValue": 0},
    ],
    "outputs": [{"source": "out/count.json"}, {"source": "count.txt"}],
    "results": {"file": "out/count.json", "schema": [{"name": "count", "label": "Count", "dtype": "int"}]},
}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the double of Batch keeps definitions, and the volumes of jobs."""
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def with_batch(deploy: Callable[..., stack.Stack], jobs: pathlib.Path) -> stack.Stack:
    """A stack that has Batch, or thinks so."""
    here = deploy("jobs", {})
    if here.endpoint_url is None:
        return here
    for function, more in {
        "PublishWorkflow": {"BATCH": "true"},
        "StartRun": {"BATCH": "true"},
        "StageStep": {"API_URL": here.api_url},
    }.items():
        functions.configure(here, function, more)
    _replace_batch(here, _double(here, jobs))
    return here


def _double(here: stack.Stack, jobs: pathlib.Path) -> str:
    """The ARN of the function that stands for Batch."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(DOUBLE, "batch.py")
    machine = here.client("stepfunctions").describe_state_machine(stateMachineArn=here.state_machine_arn)
    created = here.client("lambda").create_function(
        FunctionName="batch-double",
        Runtime=emulator.runtime(),
        Role=machine["roleArn"],
        Handler="batch.handler",
        Timeout=120,
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"JOBS": str(jobs)}},
    )
    arn: str = created["FunctionArn"]
    return arn


def _replace_batch(here: stack.Stack, double: str) -> None:
    machines = here.client("stepfunctions")
    collecting = here.state_machine_arn.replace("run-workflow", "collect-files")
    for arn, calls in ((here.state_machine_arn, 4), (collecting, 3)):
        machine = machines.describe_state_machine(stateMachineArn=arn)
        definition, replaced = re.subn(r"arn:aws:states:::aws-sdk:batch:\w+", double, machine["definition"])
        assert replaced == calls
        for before, after in AS_IF.items():
            definition = definition.replace(before, after)
        machines.update_state_machine(stateMachineArn=arn, definition=definition)
        statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": double}
        here.client("iam").put_role_policy(
            RoleName=machine["roleArn"].rpartition("/")[2],
            PolicyName="double",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )


@pytest.fixture(scope="module")
def ada(with_batch: stack.Stack) -> http.Visitor:
    """A user."""
    return http.register(http.Visitor(with_batch.api_url))


@pytest.fixture(scope="module")
def workflow(with_batch: stack.Stack) -> str:
    """A workflow whose second step needs Batch."""
    return http.publish(with_batch, TEMPLATE)


def test_a_step_with_another_image_runs_as_a_job(ada: http.Visitor, workflow: str, jobs: pathlib.Path) -> None:
    run = ada.start(ada.group(workflow), words="one two three")
    ended = ada.finished(run)
    assert (ended["state"], [step["state"] for step in ended["steps"]]) == ("SUCCESS", ["SUCCESS"] * 3), ended
    assert [step["exitCode"] for step in ended["steps"]] == [0, 0, 0]
    assert [file["name"] for file in ended["files"]] == ["out/count.json", "count.txt"]
    with tarfile.open(fileobj=io.BytesIO(ada.follow(f"runs/{run}/downloads/archive").body)) as members:
        assert json.load(members.extractfile("out/count.json")) == {"count": 3}
    assert ada.follow(f"runs/{run}/logs?step=1").body == b"counted\n"
    board = ada.get(f"workflows/{workflow}/leaderboard")
    assert board["ranking"][0]["results"] == [{"name": "count", "value": 3}]

    (definition,) = (path for path in jobs.glob("*.inactive") if run in path.name)
    registered = json.loads(definition.read_text())
    (task,) = registered["EcsProperties"]["TaskProperties"]
    assert registered["PlatformCapabilities"] == ["FARGATE"]
    assert [container["Image"] for container in task["Containers"]][1] == "r-base:4.4"
    needs = [{need["Type"]: need["Value"] for need in one["ResourceRequirements"]} for one in task["Containers"]]
    assert [sum(float(need[kind]) for need in needs) for kind in ("VCPU", "MEMORY")] == [2, 5120]


def test_a_job_gets_what_a_function_returned_and_hands_nothing_to_the_next(
    with_batch: stack.Stack, ada: http.Visitor
) -> None:
    plant = 'mkdir .flowserverless; echo \'{"given": 8, "own": 8}\' | tee .flowserverless/context.json > context.json'
    job = {"name": "job", "action": {**R, "commands": ['printf %s "${given}/${own}" > job.txt', plant]}}
    steps = [
        {"name": "give", "action": {"func": "m.give", "arg": "given"}},
        job,
        http.step("look", 'printf %s "${given}/${own}" > look.txt'),
    ]
    outputs = [{"source": "job.txt"}, {"source": "look.txt"}]
    template = {"workflow": {"parameters": {"own": "mine"}, "steps": steps}, "outputs": outputs}
    run = ada.start(ada.group(http.publish(with_batch, template, m_dot_py="def give():\n    return 7\n")))
    ended = ada.finished(run)
    assert ended["state"] == "SUCCESS", ended
    for file in ended["files"]:
        assert ada.follow(f"runs/{run}/downloads/files/{file['id']}").body == b"7/mine", file["name"]


def test_a_job_that_fails_is_explained(ada: http.Visitor, workflow: str, jobs: pathlib.Path) -> None:
    run = ada.start(ada.group(workflow), words="one", fail=4)
    ended = ada.finished(run)
    assert (ended["state"], ended["reason"]["code"]) == ("ERROR", "STEP_FAILED"), ended
    assert "command 3 of 3 exited with code 4" in ended["reason"]["detail"]
    assert "counted" in "".join(ended["messages"])
    assert [step["state"] for step in ended["steps"]] == ["SUCCESS", "ERROR", "PENDING"]
    assert ended["steps"][1]["exitCode"] == 4
    assert [file["name"] for file in ended["files"]] == ["count.txt", "prepared.txt"], "all that is left"
    assert [path.name for path in jobs.glob("*.definition")] == [], "none can be submitted again"


def test_a_job_of_a_canceled_run_is_terminated_and_forgotten(
    ada: http.Visitor, workflow: str, jobs: pathlib.Path
) -> None:
    marker = f"sleeper-{uuid.uuid4().hex}"
    run = ada.start(ada.group(workflow), words=marker, seconds=300)
    http.until(lambda: processes.alive(marker), bool, 60)
    assert ada.call("PUT", f"runs/{run}", {"reason": "enough"}).status == 200
    http.until(lambda: processes.alive(marker), lambda found: not found, 30)
    (job,) = jobs.glob(f"{run}-*.job")
    ended = http.until(lambda: json.loads(job.read_text()), lambda told: told["Status"] != "RUNNING", 30)
    assert (ended["Status"], ended["StatusReason"]) == ("FAILED", "the run has ended")
    http.until(lambda: list(jobs.glob(f"{run}-*.definition")), lambda found: not found, 30)
    assert ada.get(f"runs/{run}")["state"] == "CANCELED"


def test_only_a_job_gets_its_manifest_and_only_while_its_run_is_active(
    ada: http.Visitor, workflow: str, jobs: pathlib.Path
) -> None:
    run = ada.start(ada.group(workflow), words="one")
    assert ada.finished(run)["state"] == "SUCCESS"
    (definition,) = (path for path in jobs.glob("*.inactive") if run in path.name)
    (task,) = json.loads(definition.read_text())["EcsProperties"]["TaskProperties"]
    address = task["Containers"][0]["Command"][3].removeprefix(f"{ada.url}/")
    assert ada.call("GET", address).status == 409
    for wrong in (address[:-1] + ("A" if address[-1] != "A" else "B"), f"runs/{run}/jobs/001", f"runs/{run}/jobs/x"):
        refused = ada.call("GET", wrong)
        assert (refused.status, refused.headers["content-type"]) == (404, "application/problem+json")


def test_a_stack_without_batch_refuses_to_publish(deployed: stack.Stack) -> None:
    report = http.drop(deployed, f"w{time.time_ns()}", http.package(TEMPLATE))
    assert report["status"] == "rejected"
    assert "needs AWS Batch" in json.dumps(report)

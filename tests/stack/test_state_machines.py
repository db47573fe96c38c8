"""What single states of the state machines make of an answer, executed by the emulator; services are doubles.

Here are those that the emulator cannot execute with what they really call.
"""

import json
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from local import emulator
from support import functions, http

STATES = json.loads((emulator.PROJECT / "statemachines" / "run_workflow.asl.json").read_text("utf-8"))["States"]
ANSWERING = """\
import json

def handler(event, context):
    task = event.get("Payload", event)
    asked = json.loads(task) if isinstance(task, str) else task
    return {**json.loads(asked["run"]), "asked": event} if "run" in asked else {"Jobs": json.loads(asked["Jobs"][0])}
"""
Execute = Callable[..., Any]


@pytest.fixture(scope="module")
def execute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Execute]:
    """Executes one state with variables, by an emulator without our stack; answers the variables afterwards."""
    running = emulator.start(tmp_path_factory.mktemp("emulator"), keep=False, with_caller=True)
    try:
        yield _executing(running)
    finally:
        emulator.stop(running.home)


def _executing(running: emulator.Emulator) -> Execute:
    role = functions.role(running)
    function = functions.create(running, role, ANSWERING)
    machines = emulator.client("stepfunctions", running.url)

    def execute(name: str, variables: Mapping[str, Any], shown: list[str], **substitutions: str) -> Any:
        text = json.dumps({**STATES[name], "Resource": function, "Retry": [], "Catch": [], "Next": "Show"})
        text = re.sub(r"\$\{(\w+)\}", lambda found: substitutions[found[1]], text)
        states = {
            "Begin": {"Type": "Pass", "Assign": dict(variables), "Next": name},
            name: json.loads(text),
            "Show": {"Type": "Pass", "Output": {one: f"{{% ${one} %}}" for one in shown}, "End": True},
        }
        definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Begin", "States": states})
        machine = machines.create_state_machine(name=pathlib.Path(name).stem, definition=definition, roleArn=role)
        execution = machines.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")["executionArn"]
        ended = http.until(
            lambda: machines.describe_execution(executionArn=execution), lambda found: found["status"] != "RUNNING"
        )
        machines.delete_state_machine(stateMachineArn=machine["stateMachineArn"])
        assert ended["status"] == "SUCCEEDED", ended
        return json.loads(ended["output"])

    return execute


def run_step(execute: Execute, answer: Any, tenants: bool) -> Any:
    """What a run knows after a step whose function answered so."""
    variables = {"run": json.dumps(answer), "step": 2, "manifestUrl": "https://x", "tenant": "g", "failure": None}
    substitutions = {"TenantIsolation": str(tenants).lower(), "RunStepFunctionArn": "arn:of:run_step"}
    return execute("Run Step", variables, ["failure", "outcome", "step"], **substitutions)


@pytest.mark.parametrize("tenants", [True, False])
def test_what_a_step_came_to_is_known(execute: Execute, tenants: bool) -> None:
    """Lambda itself answers text; Step Functions' integration, which knows no tenants, reads it."""
    outcome = {"exitCode": 3, "reason": {"code": "STEP_FAILED", "detail": "é"}, "messages": []}
    answer = {"StatusCode": 200, "Payload": json.dumps(outcome) if tenants else outcome}
    assert run_step(execute, answer, tenants) == {"failure": None, "outcome": outcome, "step": 3}


def test_a_function_that_broke_off_has_failed_also_with_tenants(execute: Execute) -> None:
    """Only Step Functions' own integration makes a failed task of it."""
    said = json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 900.00 seconds"})
    found = run_step(execute, {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": said}, tenants=True)
    assert found == {"failure": {"Error": "Sandbox.Timedout", "Cause": said}, "outcome": None, "step": 3}
    nameless = json.dumps({"errorMessage": "?"})
    found = run_step(execute, {"FunctionError": "Unhandled", "Payload": nameless}, tenants=True)
    assert (found["failure"]["Cause"], found["outcome"]) == (nameless, None)


CONTAINERS = [{"Name": "fetch", "Command": ["secret"]}, {"Name": "step", "Reason": "OutOfMemoryError: killed"}]


@pytest.mark.parametrize(
    ("jobs", "status"),
    [([], "SUBMITTED"), ([{"JobId": "j", "Status": "RUNNABLE"}], "RUNNABLE"), ([{"Status": "SUCCEEDED"}], "SUCCEEDED")],
)
def test_a_job_that_has_not_failed(execute: Execute, jobs: Any, status: str) -> None:
    variables = {"jobId": json.dumps(jobs), "waited": 590, "pause": 30, "step": 1, "failure": None}
    found = execute("Look At Job", variables, ["jobStatus", "failure", "outcome", "waited", "pause"])
    assert found == {"jobStatus": status, "failure": None, "outcome": {"job": 1}, "waited": 620, "pause": 41}


def test_a_job_that_failed_says_why_and_keeps_its_secret(execute: Execute) -> None:
    job = {
        "JobId": "j",
        "Status": "FAILED",
        "StatusReason": "Essential container in task exited",
        "Attempts": [{"StatusReason": "Essential container in task exited"}],
        "EcsProperties": {"TaskProperties": [{"Containers": CONTAINERS}]},
    }
    variables = {"jobId": json.dumps([job]), "waited": 0, "pause": 10, "step": 1, "failure": None}
    found = execute("Look At Job", variables, ["jobStatus", "failure"])
    assert (found["jobStatus"], found["failure"]["Error"]) == ("FAILED", "Batch.JobFailed")
    cause = json.loads(found["failure"]["Cause"])
    assert (cause["JobId"], cause["StatusReason"], cause["Attempts"]) == ("j", job["StatusReason"], job["Attempts"])
    assert cause["Containers"] == [{"Name": "fetch"}, {"Name": "step", "Reason": "OutOfMemoryError: killed"}]
    assert "secret" not in found["failure"]["Cause"]

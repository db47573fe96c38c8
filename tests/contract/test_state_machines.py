"""The state machines are valid ASL, whole, and treat failure as decided."""

import json
import math
import pathlib
import re
from typing import Any

import botocore.session
import jsonata
import pytest
from cfnlint import api as cfnlint
from statelint import config, linter, problem

from local import emulator, template

FOLDER = emulator.PROJECT / "statemachines"
FILES = sorted(FOLDER.glob("*"))
SERVICE_ERRORS = {
    "lambda": {"Lambda.ServiceException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException"},
    "batch": {"Batch.ServerException", "Batch.SdkClientException"},
}
SUBSTITUTIONS = {
    properties["DefinitionUri"].rpartition("/")[2]: properties["DefinitionSubstitutions"]
    for properties in template.resources("AWS::Serverless::StateMachine").values()
}


def definition(path: pathlib.Path) -> Any:
    """A state machine with its substitutions made, as CloudFormation makes them."""
    text = path.read_text("utf-8")
    for name, value in SUBSTITUTIONS[path.name].items():
        chosen = value["Fn::If"][2] if isinstance(value, dict) and "Fn::If" in value else None
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
        known = {
            "Partition": "aws",
            "Region": "us-east-1",
            "JobDiskGb": "50",
            "AssignPublicIp": "DISABLED",
            "TenantIsolation": "true",
        }
        text = text.replace(f"${{{name}}}", known.get(name) or chosen or arn)
    assert "${" not in text
    return json.loads(text)


def next_states(state: dict[str, Any]) -> set[str]:
    """Where a state can lead."""
    branches = [*state.get("Choices", []), *state.get("Catch", [])]
    return {branch["Next"] for branch in (state, *branches) if "Next" in branch} | {
        state[k] for k in ("Default",) if k in state
    }


def test_every_file_is_a_state_machine_of_the_template() -> None:
    assert {path.name for path in FILES} == set(SUBSTITUTIONS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_linter_of_cloudformation_accepts_it(path: pathlib.Path) -> None:
    role = "arn:aws:iam::123456789012:role/any"
    properties = {"RoleArn": role, "Definition": definition(path)}
    document = {"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    assert [str(match) for match in cfnlint.lint_all(json.dumps(document))] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_so_does_the_linter_of_the_language(path: pathlib.Path) -> None:
    """It knows what Step Functions refuses beyond the form: states that nothing leads to, for one."""
    found = linter.Linter.validate(definition(path), config.Config({problem.ProblemType.FLOAT}))
    # It does not know that Seconds may be an expression.
    assert [text for text in found if '.Seconds is "{% ' not in text] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_expression_is_jsonata(path: pathlib.Path) -> None:
    expressions = re.findall(r"\{% (.*?) %\}", path.read_text("utf-8"))
    assert expressions
    for expression in expressions:
        jsonata.Jsonata(json.loads(f'"{expression}"'))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_state_can_be_reached_and_is_named_in_title_case(path: pathlib.Path) -> None:
    machine = definition(path)
    states = machine["States"]
    reached, open_states = set(), {machine["StartAt"]}
    while open_states:
        name = open_states.pop()
        reached.add(name)
        open_states |= next_states(states[name]) - reached
    assert set(states) == reached, "Step Functions refuses a machine with a state that nothing leads to"
    assert all(re.fullmatch(r"([A-Z][a-z]+)( [A-Z][a-z]+)*", name) for name in states)
    assert machine["QueryLanguage"] == "JSONata"
    assert isinstance(machine["TimeoutSeconds"], int)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_service_errors_are_tried_again_with_back_off_and_jitter(path: pathlib.Path) -> None:
    for state in states_of(definition(path)):
        if state["Type"] != "Task":
            continue
        retry = state["Retry"][0]
        (service,) = (service for service in SERVICE_ERRORS if f":{service}:" in state["Resource"])
        assert set(retry["ErrorEquals"]) >= SERVICE_ERRORS[service], state
        assert (retry["BackoffRate"], retry["JitterStrategy"]) == (2, "FULL"), state
        assert isinstance(state["TimeoutSeconds"], int), state


def test_whatever_goes_wrong_in_a_run_leads_to_an_end_that_says_so() -> None:
    states = definition(FOLDER / "run_workflow.asl.json")["States"]
    for name in ("Stage Step", "Order Job", "Publish Results"):
        (catch,) = states[name]["Catch"]
        assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "Mark Failed")
    for name in ("Run Step", "Await Results", "Register Job"):
        (catch,) = states[name]["Catch"]
        assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "Publish Results")


def test_a_job_is_forgotten_however_it_ended_and_its_failure_ends_the_run() -> None:
    states = definition(FOLDER / "run_workflow.asl.json")["States"]
    for name in ("Submit Job", "Look At Job"):
        (catch,) = states[name]["Catch"]
        assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "Forget Job")
        assert catch["Assign"]["failure"] == "{% $states.errorOutput %}"
    (ended,) = states["Job Ended"]["Choices"]
    assert (ended["Next"], states["Job Ended"]["Default"]) == ("Forget Job", "Await Job")
    assert states["Next Step"]["Choices"][0]["Condition"].startswith("{% $failure != null or ")


@pytest.mark.parametrize("days", [1 / 24, 1, 14])
def test_a_job_is_looked_at_often_enough_and_not_too_often_for_a_history(days: float) -> None:
    states = definition(FOLDER / "run_workflow.asl.json")["States"]
    begun, going_on = states["Submit Job"]["Assign"], states["Look At Job"]["Assign"]
    assert going_on["waited"] == "{% $waited + $pause %}"
    assert going_on["pause"] == "{% $min([900, 10 + $ceil($waited / 20)]) %}"
    waited, pause, looks = begun["waited"], begun["pause"], 0
    while waited < days * 86400:
        waited, pause, looks = waited + pause, min(900, 10 + math.ceil(waited / 20)), looks + 1
    # A Wait and a Choice are two events each, a Task is five.
    assert looks * 9 < 15_000, "a history has at most 25,000 events"
    assert pause <= max(15, 0.06 * waited)


def test_the_calls_of_batch_have_the_members_that_batch_knows() -> None:
    batch = botocore.session.get_session().get_service_model("batch")
    called = []
    for path in FILES:
        for state in states_of(definition(path)):
            call = re.search(r":batch:(\w+)$", state.get("Resource", ""))
            if call:
                called.append(call[1])
                require_known(state["Arguments"], batch.operation_model(call[1][0].upper() + call[1][1:]).input_shape)
    assert {"registerJobDefinition", "submitJob", "describeJobs", "listJobs", "terminateJob"} < set(called)


def states_of(machine: dict[str, Any]) -> list[dict[str, Any]]:
    """All states of a machine, those within a Map too."""
    found = list(machine["States"].values())
    return found + [inner for state in found if "ItemProcessor" in state for inner in states_of(state["ItemProcessor"])]


def require_known(arguments: Any, shape: Any) -> None:
    """Step Functions writes the members of a request in PascalCase."""
    if shape.type_name == "structure":
        members = {name[0].upper() + name[1:]: inner for name, inner in shape.members.items()}
        assert set(arguments) <= set(members)
        assert {name[0].upper() + name[1:] for name in shape.required_members} <= set(arguments)
        for name, argument in arguments.items():
            require_known(argument, members[name])
    elif shape.type_name == "list" and isinstance(arguments, list):
        for argument in arguments:
            require_known(argument, shape.member)

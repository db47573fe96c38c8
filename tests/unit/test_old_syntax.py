"""Templates of the old form are told what each of their members is called now, and nothing that follows from it."""

import pytest

from flowserverless.domain import validation
from flowserverless.domain.templates import templates

OLD = {
    "workflow": {
        "version": "0.3.0",
        "inputs": {"files": ["code/", "$[[names]]"], "parameters": {"inputfile": "$[[names]]"}},
        "workflow": {
            "type": "serial",
            "specification": {"steps": [{"environment": "python:3.7", "commands": ["python code/x.py"]}]},
        },
        "outputs": {"files": ["results/greetings.txt"]},
    },
    "parameters": [
        {"id": "names", "name": "Input file", "datatype": "file", "as": "data/names.txt"},
        {"name": "sleep", "type": "int", "description": "Seconds", "defaultValue": 10},
        {"name": "rate", "dtype": "decimal"},
    ],
    "modules": [{"id": "m", "name": "Module", "index": 0}],
    "results": {
        "file": "results/x.json",
        "schema": [{"id": "max", "name": "Max", "type": "decimal"}, {"name": "n", "label": "N", "dtype": "decimal"}],
        "orderBy": [{"id": "max", "sortDesc": True}, {"name": "max"}],
    },
    "postproc": {
        "workflow": {"version": "0.3.0", "inputs": {"files": ["$[[runs]]"]}, "workflow": {"type": "serial"}},
        "inputs": {"files": ["results/greetings.txt"], "runs": "runs/"},
    },
}


def told(document):
    with pytest.raises(validation.Faults) as found:
        templates.parse(document)
    return {fault.place: fault.message for fault in found.value.faults}, found.value.warnings


def test_every_member_of_the_old_form_is_told_in_one_sentence_and_nothing_else_is():
    found, warnings = told(OLD)
    assert found.keys() == {
        *(f"workflow.{member}" for member in ("version", "inputs", "workflow", "outputs")),
        *(f"parameters[0].{member}" for member in ("id", "datatype", "as")),
        *(f"postproc.workflow.{member}" for member in ("version", "inputs", "workflow")),
        *("parameters[1].type", "parameters[1].description", "parameters[2].dtype"),
        *("results.schema[0].id", "results.schema[0].type", "results.schema[1].dtype", "results.orderBy[0].id"),
    }
    assert all("is of the old form of templates" in message for message in found.values())
    assert "it is `float` now" in found["parameters[2].dtype"]
    assert [(warning.place, "old form" in warning.message) for warning in warnings] == [("modules", True)]


def test_a_step_of_the_old_form_is_told_where_its_members_stand_now():
    step = {"name": "s", "environment": "python:3", "commands": ["true"]}
    found, _ = told({"workflow": {"steps": [step]}})
    assert found.keys() == {"workflow.steps[0].environment", "workflow.steps[0].commands"}
    assert all("in the step's `action` now" in message for message in found.values())


def test_a_member_of_the_old_form_beside_new_ones_does_not_hide_other_faults():
    found, _ = told({"workflow": {"version": "0.3.0", "steps": [{"name": "s"}]}})
    assert found.keys() == {"workflow.version", "workflow.steps[0].action"}


def test_groups_of_the_old_form():
    step = {"name": "s", "action": {"environment": "python:3", "commands": ["true"]}}
    found, _ = told({"workflow": {"steps": [step]}, "parameterGroups": [{"id": "g", "name": "Group", "index": 0}]})
    assert found.keys() == {"parameterGroups[0].id"}


@pytest.mark.parametrize("member", ["version", "inputs", "modules"])
def test_old_members_at_the_top_are_ignored_with_a_warning_that_says_so(member):
    step = {"name": "s", "action": {"environment": "python:3", "commands": ["true"]}}
    (warning,) = templates.parse({"workflow": {"steps": [step]}, member: "0.3.0"}).warnings
    assert (warning.place, "is of the old form" in warning.message) == (member, True)

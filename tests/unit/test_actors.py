"""Actors: nobody chooses code, so their steps execute the organiser's default or are left out, or all is refused."""

import pytest

from flowserverless.domain import errors, validation
from flowserverless.domain.templates import arguments, executors, group_parameters, parameters, templates

DEFAULT = {"environment": "python:3", "commands": ["echo hello"]}
WORK = {"name": "work", "action": {"environment": "python:3", "commands": ["true"]}}
CHOSEN = {"name": "chosen", "action": "$[[ actor ]]", "files": {"outputs": ["a.txt"]}}
LEFT_OUT = {"workflow": {"steps": [CHOSEN, WORK]}}
COUNT = {"name": "count", "dtype": "int", "defaultValue": 1}


def document(*chosen, declared=(), **actor):
    actors = [{"name": "actor", "dtype": "actor", **actor}]
    return {"workflow": {"steps": [WORK, *chosen]}, "parameters": [*actors, COUNT, *declared]}


def found_in(declared):
    with pytest.raises(validation.Faults) as found:
        templates.parse(declared, executors.ANYTHING)
    return {fault.place: fault.message for fault in found.value.faults}


@pytest.mark.parametrize("more", [{}, {"isRequired": False}, {"isRequired": True, "label": "Step", "help": "h"}])
def test_a_step_executes_the_default_of_its_actor(more):
    template = templates.parse(document(CHOSEN, defaultValue=DEFAULT, **more))
    assert [step.name for step in template.steps] == ["work", "chosen"]
    assert (template.steps[1].commands, template.steps[1].outputs) == (("echo hello",), ("a.txt",))
    assert [one.name for one in template.parameters] == ["count"]
    assert templates.parse(template.document) == template
    (warning,) = template.warnings
    assert (warning.place, "execute its default" in warning.message) == ("parameters[0]", True)


def test_a_default_may_be_a_function_or_a_notebook():
    for action in ({"func": "code.count"}, {"notebook": "a.ipynb"}):
        assert templates.parse(document(CHOSEN, defaultValue=action), executors.ANYTHING).steps[1].kind != "container"


@pytest.mark.parametrize("more", [{"isRequired": False}, {"defaultValue": None}])
def test_a_step_is_left_out_if_nobody_need_choose_it_as_in_flowserv(more):
    template = templates.parse(document(CHOSEN, **more))
    assert [step.name for step in template.steps] == ["work"]
    assert "are left out" in template.warnings[0].message


@pytest.mark.parametrize("more", [{}, {"isRequired": True}, {"isRequired": True, "defaultValue": None}])
def test_an_actor_that_must_be_chosen_is_refused(more):
    found = found_in(document(CHOSEN, **more))
    assert found["parameters[0].dtype"] == parameters.NO_ACTOR


@pytest.mark.parametrize(
    ("declared", "place", "message"),
    [
        (document(CHOSEN, defaultValue="step"), "parameters[0].defaultValue", "must be the action of a step"),
        (document(CHOSEN, defaultValue={"x": 1}), "workflow.steps[1].action", "is no known kind of step"),
        (document(CHOSEN, defaultValue=DEFAULT, range="[0,1]"), "parameters[0].range", "is not one of"),
        (
            document(CHOSEN, defaultValue={**DEFAULT, "commands": ["echo $[[count]]"]}),
            "workflow.steps[1].action",
            "has a reference where none is replaced",
        ),
        (document({**CHOSEN, "action": "$[[count]]"}, isRequired=False), "workflow.steps[1].action", "not supported"),
        (
            document({**CHOSEN, "action": "$[[actor ? a : b]]"}, isRequired=False),
            "workflow.steps[1].action",
            "not supp",
        ),
        (
            document(isRequired=False) | {"workflow": {"steps": [WORK], "parameters": {"x": "$[[actor]]"}}},
            "workflow.parameters.x",
            "is an action and no value",
        ),
        (
            document(isRequired=False) | {"workflow": {"steps": [CHOSEN]}},
            "workflow.steps",
            "are all left out",
        ),
    ],
)
def test_what_no_actor_can_be_is_refused_with_its_place(declared, place, message):
    assert message in found_in(declared)[place]


def test_actors_inside_of_lists_and_records_are_refused():
    field = {"name": "f", "dtype": "actor", "defaultValue": DEFAULT}
    found = found_in(document(declared=[{"name": "r", "dtype": "record", "fields": [field]}], isRequired=False))
    assert found == {"parameters[2].fields[0].dtype": parameters.NO_ACTOR}


def test_no_run_and_no_group_chooses_an_actor():
    template = templates.parse(document(CHOSEN, defaultValue=DEFAULT))
    with pytest.raises(errors.InvalidRequest, match="unknown parameter 'actor'"):
        arguments.bind(template.parameters, [{"name": "actor", "value": DEFAULT}], {})
    with pytest.raises(errors.InvalidRequest, match="actor"):
        group_parameters.narrow(template.document, [{"name": "actor", "dtype": "actor", "defaultValue": DEFAULT}])


def test_what_is_found_behind_an_actor_is_told_at_the_place_where_it_is_declared():
    template = templates.parse(document(isRequired=False) | LEFT_OUT)
    places = {"parameters[0].target": "parameters[1].target", "workflow.steps[0].action": "workflow.steps[1].action"}
    for checked, declared in places.items():
        assert template.written(validation.Fault(checked, "x")) == validation.Fault(declared, "x")
    for same in ("parameters", "postproc.workflow.steps[0]", "results.schema[0]", "workflow.steps[7]"):
        assert template.written(validation.Fault(same, "x")).place == same

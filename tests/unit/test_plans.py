"""Plans: arguments reach the steps as values of variables, whatever they contain, and commands stay as written."""

import copy
import json
import math
import subprocess
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowserverless.domain import errors, paths, plans
from flowserverless.domain.templates import arguments, executors, steps, templates
from support import strategies

COMMANDS = ['printf %s "$text"', "awk '{print $1}' $HOME/x", "echo $? ${missing} `true`"]
DOCUMENT = {
    "workflow": {
        "parameters": {
            "inputfile": "$[[names]]",
            "text": "$[[text]]",
            "number": "$[[number]]",
            "flag": "$[[verbose ? --verbose : --quiet]]",
            "only": "$[[verbose ? --verbose]]",
            "each": "$[[list]]",
            "record": "$[[record]]",
            "optional": "$[[optional]]",
            "constant": "a $b ${c} `d`",
            "structure": {"a": [1, True, None]},
            "nothing": None,
            "yes": True,
        },
        "steps": [
            {
                "name": "one",
                "files": {"inputs": ["code/", "$[[names]]", "$[[spare]]"], "outputs": ["out/"]},
                "action": {"environment": "python:3.11", "commands": COMMANDS},
            },
            {
                "name": "two",
                "action": {"func": "a.b", "arg": "total", "variables": [{"arg": "n", "var": "number"}]},
            },
            {
                "name": "three",
                "action": {
                    "notebook": "n.ipynb",
                    "params": ["total", "words"],
                    "variables": [{"arg": "words", "var": "text"}],
                },
            },
            {
                "name": "four",
                "action": {"environment": "r-base", "commands": ["true"]},
                "resources": {"vcpu": 0.25, "timeoutSeconds": 60},
            },
        ],
    },
    "parameters": [
        {"name": "names", "dtype": "file", "target": "data/names.txt"},
        {"name": "spare", "dtype": "file", "isRequired": False},
        {"name": "text", "dtype": "string", "defaultValue": "-"},
        {"name": "number", "dtype": "float", "defaultValue": 1},
        {"name": "verbose", "dtype": "bool", "defaultValue": True},
        {"name": "list", "dtype": "list", "para": {"name": "e", "dtype": "float"}, "defaultValue": []},
        {
            "name": "record",
            "dtype": "record",
            "isRequired": False,
            "fields": [
                {"name": "x", "dtype": "string"},
                {"name": "f", "dtype": "file", "target": "f", "isRequired": False},
            ],
        },
        {"name": "optional", "dtype": "string", "isRequired": False},
    ],
    "results": {"file": "r.json", "schema": [{"name": "s", "label": "S", "dtype": "int"}]},
    "postproc": {
        "workflow": {
            "parameters": {"rundir": "$[[runs]]", "size": 3},
            "steps": [
                {
                    "name": "plot",
                    "files": {"inputs": ["$[[runs]]", "code/plot.py"]},
                    "action": {"environment": "python:3.13", "commands": ["${python} code/plot.py ${rundir}"]},
                }
            ],
        },
        "inputs": {"files": ["r.json"], "runs": "elsewhere/"},
    },
    "flowserverless": {"external": True},
}
TEMPLATE = templates.parse(DOCUMENT, executors.ANYTHING)
NAMES = {"name": "names", "value": {"type": "$file", "value": {"fileId": "f1"}}}


def planned(*sent, template=TEMPLATE, **options):
    bound = arguments.bind(template.parameters, [NAMES, *sent], {"f1": "x", "f2": "y"})
    return plans.plan(template, bound, **options)


def argument(name, value):
    return {"name": name, "value": value}


def test_every_kind_of_step():
    one, two, three, four = planned()
    assert [step.index for step in (one, two, three, four)] == [0, 1, 2, 3]
    assert (one.kind, one.executor, one.commands) == ("container", "lambda", tuple(COMMANDS))
    assert (one.environment, one.inputs, one.outputs) == ("python:3.11", ("code/", "data/names.txt"), ("out/",))
    assert (two.kind, two.executor, two.func, two.arg) == ("code", "lambda", "a.b", "total")
    assert (two.argument_names, two.inputs, two.outputs) == ({"n": "number"}, None, None)
    assert (three.kind, three.executor, three.notebook) == ("notebook", "lambda", "n.ipynb")
    assert three.notebook_output == "n.out.ipynb"
    assert three.notebook_params == {"total": "total", "words": "text"}
    assert (four.executor, four.resources) == ("batch", steps.Resources(0.25, 512, 0, 60))


def test_variables_with_defaults():
    assert planned()[0].variables == {
        "inputfile": "data/names.txt",
        "text": "-",
        "number": "1.0",
        "flag": "--verbose",
        "only": "--verbose",
        "each": "[]",
        "constant": "a $b ${c} `d`",
        "structure": '{"a": [1, true, null]}',
        "yes": "True",
    }


def test_variables_from_arguments():
    given = [
        argument("text", "$[[names]] ${HOME} $(reboot)"),
        argument("number", "inf"),
        argument("verbose", False),
        argument("list", [1, "-inf"]),
        argument("record", [argument("x", "ü"), argument("f", {"type": "$file", "value": {"fileId": "f2"}})]),
        argument("spare", {"type": "$file", "value": {"fileId": "f2", "targetPath": "spare.txt"}}),
    ]
    step = planned(*given)[0]
    assert step.variables == {
        "inputfile": "data/names.txt",
        "text": "$[[names]] ${HOME} $(reboot)",
        "number": "inf",
        "flag": "--quiet",
        "each": '[1.0, "-inf"]',
        "record": '{"x": "ü", "f": "f"}',
        "constant": "a $b ${c} `d`",
        "structure": '{"a": [1, true, null]}',
        "yes": "True",
    }
    assert step.inputs == ("code/", "data/names.txt", "uploads/spare/spare.txt")


def test_functions_and_notebooks_get_values_of_their_types():
    values = planned(argument("list", [1, "-inf"]), argument("number", 2))[1].values
    assert values["number"] == 2.0
    assert values["each"] == [1.0, "-inf"]
    assert values["yes"] is True
    assert values["structure"] == {"a": [1, True, None]}
    assert set(values) == set(planned(argument("list", [1, "-inf"]))[1].variables)


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        (None, {"dtype": "bool", "isRequired": False}, "no"),
        (None, {"dtype": "bool", "defaultValue": True}, "yes"),
        (True, {"dtype": "bool", "defaultValue": False}, "yes"),
        ("0", {"dtype": "bool"}, "no"),
        ("TRUE", {"dtype": "string"}, "yes"),
        ("yes", {"dtype": "string"}, "no"),
        (1, {"dtype": "int"}, "no"),
    ],
)
def test_conditions(value, declared, expected):
    document = {
        "workflow": {"parameters": {"x": "$[[p ? yes : no]]"}, "steps": DOCUMENT["workflow"]["steps"][3:]},
        "parameters": [{"name": "p", **declared}],
    }
    template = templates.parse(document, executors.ANYTHING)
    bound = arguments.bind(template.parameters, [] if value is None else [argument("p", value)], {})
    assert plans.plan(template, bound)[0].variables == {"x": expected}


ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)


@given(ANY_TEXT)
@example("$[[names]]")
@example('"; touch /tmp/x #')
def test_no_argument_changes_a_command(text):
    plain, other = planned(), planned(argument("text", text), argument("optional", text))
    for before, after in zip(plain, other, strict=True):
        assert after.variables["text"] == after.variables["optional"] == text
        assert replace(after, variables=before.variables, values=before.values) == before
        changed = {name for name in after.variables if after.variables[name] != before.variables.get(name)}
        assert changed <= {"text", "optional"}


@pytest.mark.parametrize(
    "text",
    [
        '"; echo hacked #',
        "$(echo hacked)",
        "`echo hacked`",
        "a\nb",
        "' || echo hacked",
        "${HOME}",
        "\\",
        "*",
        "é" * 50_000,
    ],
)
def test_the_shell_takes_arguments_for_what_they_are(text):
    step = planned(argument("text", text))[0]
    command = ["/bin/sh", "-c", step.commands[0]]
    ran = subprocess.run(command, env=dict(step.variables), capture_output=True, check=True, text=True)
    assert (ran.stdout, ran.stderr) == (text, "")


PLACES = st.text("ab/.*?[]!^-", min_size=1, max_size=12)


@given(PLACES, st.lists(PLACES, max_size=5))
def test_no_choice_of_a_place_gives_a_step_other_files(target, others):
    value = {"type": "$file", "value": {"fileId": "f2", "targetPath": target}}
    try:
        step = planned(argument("spare", value))[0]
    except errors.InvalidRequest:
        return
    [place] = set(step.inputs) - set(planned()[0].inputs)
    for path in others:
        assert path.startswith(f"{place}/") or paths.matches(place, path) == (path == place)


def test_a_template_that_was_read_back_gives_the_same_plan():
    again = templates.parse(json.loads(json.dumps(TEMPLATE.document)), executors.ANYTHING)
    assert planned(template=again) == planned()
    assert plans.postproc_plan(again) == plans.postproc_plan(TEMPLATE)


def test_post_processing_gets_the_runs_where_flowserv_puts_them():
    [step] = plans.postproc_plan(TEMPLATE)
    assert step.variables == {"rundir": "runs", "size": "3"}
    assert step.inputs == ("runs", "code/plot.py")
    assert (step.index, step.executor) == (0, "lambda")


def test_no_post_processing_no_steps():
    document = {"workflow": DOCUMENT["workflow"], "parameters": DOCUMENT["parameters"]}
    assert plans.postproc_plan(templates.parse(document, executors.ANYTHING)) == ()


def test_a_caller_may_ask_for_resources():
    one, two, three, four = planned(resources={"vcpu": 2, "gpu": 1})
    assert {one.executor, four.executor} == {"batch"}
    assert {two.executor, three.executor} == {"lambda"}
    assert one.resources == four.resources == steps.Resources(2, 4096, 1, None)


@pytest.mark.parametrize(
    ("resources", "available", "message"),
    [
        ({"vcpu": 3}, executors.ANYTHING, "config.resources.vcpu: is 3, must be one of"),
        ({"cpu": 1}, executors.ANYTHING, "config.resources.cpu: is not one of"),
        ([], executors.ANYTHING, "config.resources: is a list"),
        ({"vcpu": math.nan}, executors.ANYTHING, "config.resources.vcpu"),
        ({}, {"lambda", "notebook"}, "step 'one' needs AWS Batch for its resources"),
        ({"gpu": 1}, {"lambda", "notebook", "batch"}, "step 'one' needs a GPU"),
        (None, {"lambda", "notebook"}, "step 'four' needs AWS Batch"),
        (None, {"lambda", "batch"}, "step 'three' is a notebook"),
    ],
)
def test_what_cannot_be_had_is_refused(resources, available, message):
    with pytest.raises(errors.InvalidRequest) as refused:
        planned(resources=resources, available=available)
    assert message in refused.value.detail


@given(strategies.VALUES)
def test_any_resources_are_had_or_refused(resources):
    try:
        answer = planned(resources=resources)[0].executor
    except errors.InvalidRequest as refused:
        answer = refused.detail
    assert answer.startswith("lambda" if resources is None else ("batch", "config.resources"))


def test_variables_that_no_process_takes_are_refused():
    document = copy.deepcopy(DOCUMENT)
    document["workflow"]["parameters"] |= {f"copy{n}": "$[[text]]" for n in range(10)}
    template = templates.parse(document, executors.ANYTHING)
    assert planned(argument("text", "x" * 50_000), template=template)
    with pytest.raises(errors.InvalidRequest, match="more than 1000000"):
        planned(argument("text", "x" * 100_000), template=template)


def test_an_external_engine_gets_one_step_with_all_variables():
    bound = arguments.bind(TEMPLATE.parameters, [NAMES], {"f1": "x"})
    [step] = plans.external_plan(TEMPLATE, bound)
    assert step.executor == "external"
    assert step.variables == planned()[0].variables


def test_only_a_workflow_that_says_so_runs_on_external_engines():
    template = templates.parse(DOCUMENT | {"flowserverless": {}}, executors.ANYTHING)
    with pytest.raises(errors.InvalidRequest, match="may not be executed by an external engine"):
        plans.external_plan(template, arguments.Bound({}))


def test_two_dollar_signs_of_a_command_are_one_for_the_shell():
    step = {"name": "pay", "action": {"environment": "python:3", "commands": ["echo '5 $$'"]}}
    template = templates.parse({"workflow": {"steps": [step]}})
    assert template.steps[0].commands == ("echo '5 $$'",)
    (planned,) = plans.plan(template, arguments.Bound({}))
    assert planned.commands == ("echo '5 $'",)

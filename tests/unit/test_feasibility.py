"""Feasibility: parameters with which no run could ever start are known as such, and no others."""

import pytest

from flowserverless.domain.templates import arguments, executors, feasibility, parameters, templates

STEP = {"name": "work", "action": {"environment": "python:3", "commands": ["true"]}}
LONG = "x" * 119_000
HELP = {"dtype": "string", "defaultValue": "x"}


def obstacles(declared, **context):
    document = {"workflow": {"steps": [STEP], "parameters": context}, "parameters": declared}
    template = templates.parse(document, executors.ANYTHING)
    return list(feasibility.obstacles(template, template.parameters))


def many(count, **declaration):
    return [{"name": f"p{number}", **declaration} for number in range(count)]


def select(*values, **more):
    return {"name": "s", "dtype": "select", "values": [{"name": value[:1], "value": value} for value in values], **more}


def record(*fields):
    return {"name": "r", "dtype": "record", "fields": list(fields)}


@pytest.mark.parametrize(
    ("declared", "context", "reason"),
    [
        (many(91, dtype="file"), {}, "require 91 files"),
        ([record(*many(91, dtype="file"))], {}, "require 91 files"),
        ([{"name": "n", "dtype": "int", "range": "(0,1)"}], {}, "'n' has no integer in its range (0,1)"),
        ([{"name": "n", "dtype": "int", "range": "[0.2,0.8]"}], {}, "'n' has no integer"),
        ([record({"name": "n", "dtype": "int", "range": "(0,1)"})], {}, "'n' has no integer"),
        ([{**one, "name": f"{one['name']}{'é' * 120}"} for one in many(200, dtype="file")][:90], {}, None),
        ([select(LONG)], {f"v{n}": "$[[s]]" for n in range(9)}, "make variables of 1071"),
        (many(190, **HELP, help="h" * 1000), {}, "make a template of"),
        (many(190, **HELP, help="é" * 500), {}, "make a template of"),
        (many(5, dtype="select", values=[{"value": n} for n in range(500)]), {}, "cannot be read again"),
    ],
)
def test_what_keeps_every_run_from_starting_is_found(declared, context, reason):
    found = obstacles(declared, **context)
    assert len(found) == (reason is not None)
    assert all(reason in each for each in found)


@pytest.mark.parametrize(
    ("declared", "context"),
    [
        (many(90, dtype="file"), {}),
        (many(91, dtype="file", isRequired=False), {}),
        (many(91, dtype="file", defaultValue="x"), {}),
        ([{"name": "files", "dtype": "list", "para": {"name": "f", "dtype": "file"}}], {}),
        ([{"name": "n", "dtype": "int", "range": "(0,1)", "isRequired": False}], {}),
        ([{"name": "n", "dtype": "int", "range": "(0,1]"}], {}),
        ([{"name": "n", "dtype": "int", "range": "(0,)"}], {}),
        ([{"name": "n", "dtype": "int", "range": "[-0.5,0.5]"}], {}),
        ([select(LONG, "x")], {f"v{n}": "$[[s]]" for n in range(9)}),
        ([select(LONG, isRequired=False)], {f"v{n}": "$[[s]]" for n in range(9)}),
        ([{"name": "t", "dtype": "string"}], {f"v{n}": "$[[t]]" for n in range(99)}),
        ([{"name": "t", "dtype": "string", "defaultValue": LONG}], {f"v{n}": "$[[t]]" for n in range(99)}),
        (many(190, **HELP, help="h" * 500), {}),
    ],
)
def test_what_only_some_runs_fail_at_is_left_to_them(declared, context):
    assert obstacles(declared, **context) == []


@pytest.mark.parametrize("dtype", ["bool", "int", "float", "string", "select", "file", "list", "record"])
def test_the_shortest_argument_of_every_type_can_be_bound(dtype):
    more = {"select": {"values": [{"value": "a"}]}, "list": {"para": {"name": "e", "dtype": "int"}}}
    more["record"] = {"fields": [{"name": "f", "dtype": "file"}]}
    (one,) = parameters.parse([{"name": "p", "dtype": dtype, **more.get(dtype, {})}])
    given = [{"name": "p", "value": feasibility._argument(one)}]
    uploads = {feasibility.FILE["value"]["fileId"]: "f.txt"}
    assert arguments.bind([one], given, uploads).values.keys() == {"p"}

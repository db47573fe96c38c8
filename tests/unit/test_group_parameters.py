"""A group's own parameters allow less than the workflow's, or as much, and never more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain import errors
from flowserverless.domain.templates import group_parameters, parameters

WORKFLOW = {
    "workflow": {
        "parameters": {"n": "$[[n]]", "mode": "$[[mode]]", "data": "$[[data]]", "note": "$[[note]]"},
        "steps": [{"name": "s", "action": {"environment": "python:3.13", "commands": ["true"]}}],
    },
    "parameters": [
        {"name": "n", "dtype": "int", "range": "[1,5]", "defaultValue": 2},
        {"name": "mode", "dtype": "select", "values": [{"name": "A", "value": "a"}, {"name": "B", "value": "b"}]},
        {"name": "data", "dtype": "file", "target": "data/mine.csv"},
        {"name": "note", "dtype": "string", "isRequired": False},
        {"name": "points", "dtype": "list", "para": {"name": "p", "dtype": "float"}, "isRequired": False},
    ],
}
BY_NAME = {one["name"]: one for one in WORKFLOW["parameters"]}


def narrow(*changed, without=()):
    """What holds for a group that declares the workflow's parameters, some of them otherwise."""
    own = {**BY_NAME, **{one["name"]: one for one in changed}}
    declared = [one for name, one in own.items() if name not in without]
    return {one.name: one for one in group_parameters.narrow(WORKFLOW, declared)}


def test_the_workflows_own_parameters_are_allowed():
    assert narrow() == {one.name: one for one in parameters.parse(WORKFLOW["parameters"])}


@pytest.mark.parametrize(
    "declared",
    [
        {"name": "n", "dtype": "int", "range": "[2,4]", "defaultValue": 3},
        {"name": "n", "dtype": "int", "range": "(1,5)"},
        {"name": "mode", "dtype": "select", "values": [{"name": "only", "value": "b"}]},
        {"name": "note", "dtype": "string", "defaultValue": "from us", "label": "Notiz"},
        {"name": "ours", "dtype": "string"},
    ],
)
def test_less_is_allowed_and_so_is_what_no_step_sees(declared):
    assert declared["name"] in narrow(declared)


def test_what_is_left_open_is_as_in_the_workflow():
    found = narrow({"name": "n", "dtype": "int"}, {"name": "data", "dtype": "file"})
    assert str(found["n"].range) == "[1,5]"
    assert found["data"].target == "data/mine.csv"


WIDER = [
    {"name": "data", "dtype": "file", "target": "code/score.py"},
    {"name": "data", "dtype": "file", "target": "code/json.py"},
    {"name": "data", "dtype": "file", "target": "data/labels.csv"},
    {"name": "data", "dtype": "file", "target": "data/mine.csv", "defaultValue": "data/labels.csv"},
    {"name": "data", "dtype": "string"},
    {"name": "data", "dtype": "string", "defaultValue": "data/labels.csv"},
    {"name": "extra", "dtype": "file", "target": "code/score.py"},
    {"name": "extra", "dtype": "file"},
    {"name": "extra", "dtype": "list", "para": {"name": "p", "dtype": "file", "target": "data/labels.csv"}},
    {
        "name": "extra",
        "dtype": "record",
        "fields": [{"name": "f", "dtype": "file", "target": "./data/../code/numpy.PY"}],
    },
    {"name": "n", "dtype": "int", "range": "[1,1000000]"},
    {"name": "n", "dtype": "int", "range": "[0,5]"},
    {"name": "n", "dtype": "int", "range": "(-inf,5]"},
    {"name": "n", "dtype": "float", "range": "[1,5]"},
    {"name": "n", "dtype": "int", "defaultValue": 99},
    {"name": "mode", "dtype": "string"},
    {"name": "mode", "dtype": "select", "values": [{"name": "A", "value": "a"}, {"name": "A", "value": "A"}]},
    {"name": "mode", "dtype": "select", "values": [{"name": "A", "value": "a"}], "isRequired": False},
    {"name": "points", "dtype": "list", "para": {"name": "p", "dtype": "string"}, "isRequired": False},
]


@pytest.mark.parametrize("declared", WIDER, ids=str)
def test_more_is_refused(declared):
    with pytest.raises(errors.InvalidRequest) as refused:
        narrow(declared)
    assert refused.value.code == "INVALID_PARAMETERS"
    assert declared["name"] in str(refused.value)


def test_what_the_workflow_requires_or_refers_to_cannot_be_left_out():
    for name in ("n", "mode", "data", "note"):
        with pytest.raises(errors.InvalidRequest, match=name):
            narrow(without=[name])
    assert "points" not in narrow(without=["points"])


BOUNDS = st.none() | st.integers(-3, 3)
RANGES = st.builds(parameters.Range, BOUNDS, BOUNDS, st.booleans(), st.booleans())


@given(RANGES, RANGES)
def test_a_range_is_within_another_only_if_all_its_numbers_are(inner, outer):
    numbers = [step / 2 for step in range(-10, 11)] + [-1e9, 1e9]
    if group_parameters._is_within(inner, outer):
        assert all(number in outer for number in numbers if number in inner)


@given(RANGES)
def test_a_range_is_within_itself(same):
    assert group_parameters._is_within(same, same)

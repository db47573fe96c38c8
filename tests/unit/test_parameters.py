"""Declarations and arguments: what is accepted is what its sender meant, all else is named and refused."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain import errors, validation
from flowserverless.domain.templates import arguments, parameters, values
from support import strategies

UPLOADS = {"f1": "names.txt", "f2": "more.txt"}
DECLARATIONS = [
    {"name": "names", "dtype": "file", "target": "data/names.txt", "label": "Names", "group": "main"},
    {"name": "free", "dtype": "file", "isRequired": False},
    {"name": "verbose", "dtype": "bool", "defaultValue": False, "index": 7},
    {"name": "times", "dtype": "int", "range": "[0,10)", "defaultValue": 3, "help": "How often"},
    {"name": "rate", "dtype": "float", "range": "(,1.5]", "isRequired": False},
    {"name": "any number", "dtype": "float", "isRequired": False},
    {"name": "greeting", "dtype": "string", "defaultValue": "Hello"},
    {
        "name": "mode",
        "dtype": "select",
        "values": [{"name": "Fast", "value": 1, "isDefault": True}, {"name": "Yes", "value": True}],
    },
    {"name": "list", "dtype": "list", "para": {"name": "each", "dtype": "int"}, "defaultValue": [1]},
    {"name": "files", "dtype": "list", "para": {"name": "each", "dtype": "file"}, "isRequired": False},
    {
        "name": "record",
        "dtype": "record",
        "isRequired": False,
        "fields": [
            {"name": "x", "dtype": "float"},
            {"name": "y", "dtype": "string", "defaultValue": "-"},
            {"name": "z", "dtype": "bool", "isRequired": False},
        ],
    },
]
PARAMETERS = parameters.parse(DECLARATIONS)
NAMES = {"name": "names", "value": {"type": "$file", "value": {"fileId": "f1"}}}


def declared(**declaration):
    return parameters.parse([{"name": "p", **declaration}])


def bound(declarations, value, **known):
    given = [{"name": "p", "value": value}]
    return arguments.bind(declarations, given, known.pop("uploads", UPLOADS), **known)


def file(file_id="f1", **target):
    return {"type": "$file", "value": {"fileId": file_id, **target}}


def found_in(declarations):
    with pytest.raises(validation.Faults) as refused:
        parameters.parse(declarations)
    return {fault.place: fault.message for fault in refused.value.faults}


def outcome(call, *sent):
    """What a call answers, and why it refuses to; one of them is None."""
    try:
        return call(*sent), None
    except (errors.Problem, validation.Faults) as refused:
        return None, refused


def test_everything_has_a_default_as_in_flowserv():
    [parameter] = parameters.parse([{"name": "x", "dtype": "int"}])
    assert parameter == parameters.Parameter(name="x", dtype="int", index=0, required=True)
    assert parameters.document(parameter) == {
        "name": "x",
        "dtype": "int",
        "index": 0,
        "isRequired": True,
        "label": None,
        "help": None,
        "defaultValue": None,
        "group": None,
    }


def test_a_default_makes_a_parameter_optional_even_a_null_one():
    assert not declared(dtype="int", defaultValue=1)[0].required
    assert not declared(dtype="int", defaultValue=None)[0].required
    assert declared(dtype="int", defaultValue=1, isRequired=True)[0].required


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_documents_are_read_back_unchanged(parameter):
    document = parameters.document(parameter)
    assert parameters.parse([document]) == (parameter,)
    assert parameters.parse(json.loads(json.dumps([document]))) == (parameter,)


def read_back_or_refused(declarations):
    """Whether declarations are accepted; either way it must be so without any other error."""
    read, refused = outcome(parameters.parse, declarations)
    if refused:
        assert refused.faults
        assert all(fault.place and fault.message for fault in refused.faults)
        assert "".join(fault.place + fault.message for fault in refused.faults).encode()
    else:
        assert parameters.parse([parameters.document(each) for each in read]) == read
    return refused is None


@given(strategies.VALUES | strategies.mutations(DECLARATIONS))
def test_any_declarations_are_read_back_or_refused(declarations):
    assert read_back_or_refused(declarations) in (True, False)


def test_with_anything_exchanged_declarations_are_read_back_or_refused():
    accepted = [read_back_or_refused(each) for each in strategies.exchanges(DECLARATIONS)]
    assert accepted.count(False) > 300
    assert accepted.count(True) > 100


@pytest.mark.parametrize("wrap", ["list", "object"])
@pytest.mark.parametrize("depth", [40, 100_000])
def test_deep_declarations_and_arguments_are_refused(wrap, depth):
    deep = strategies.nested(depth, wrap)
    assert found_in([deep])
    with pytest.raises(errors.InvalidRequest):
        arguments.bind(PARAMETERS, [NAMES, {"name": "list", "value": deep}], UPLOADS)
    with pytest.raises(errors.InvalidRequest, match="nested too deeply"):
        arguments.referenced_files([NAMES, deep])


def test_declarations_that_contain_themselves_are_refused():
    circle = []
    circle.append(circle)
    assert found_in(circle) == {"parameters": "is nested too deeply or too large"}


@pytest.mark.parametrize(
    ("declaration", "place", "message"),
    [
        ({"dtype": "int"}, "name", "is missing"),
        ({"name": "", "dtype": "int"}, "name", "must not be empty"),
        ({"name": 5, "dtype": "int"}, "name", "is 5, must be a text"),
        ({"name": "a?b", "dtype": "int"}, "name", "cannot be referred to"),
        ({"name": "a]]", "dtype": "int"}, "name", "cannot be referred to"),
        ({"name": " a", "dtype": "int"}, "name", "cannot be referred to"),
        ({"name": "a\nb", "dtype": "int"}, "name", "cannot be referred to"),
        ({"name": "a" * 129, "dtype": "int"}, "name", "128 characters"),
        ({"name": "x"}, "dtype", "is missing"),
        ({"name": "x", "dtype": "decimal"}, "dtype", "must be one of bool, int, float"),
        ({"name": "x", "dtype": "actor"}, "dtype", "not supported"),
        ({"name": "x", "dtype": ["int"]}, "dtype", "is a list, must be a text"),
        ({"name": "x", "dtype": "int", "description": "y"}, "description", "is not one of name, dtype"),
        ({"name": "x", "dtype": "string", "range": "[0,1]"}, "range", "is not one of"),
        ({"name": "x", "dtype": "int", "target": "x"}, "target", "is not one of"),
        ({"name": "x", "dtype": "int", "index": "1"}, "index", "must be an integer"),
        ({"name": "x", "dtype": "int", "index": True}, "index", "must be an integer"),
        ({"name": "x", "dtype": "int", "isRequired": "yes"}, "isRequired", "must be true or false"),
        ({"name": "x", "dtype": "int", "label": ["x"]}, "label", "must be a text"),
        ({"name": "x", "dtype": "int", "help": "\0"}, "help", "NUL"),
        ({"name": "x", "dtype": "int", "help": "\ud800"}, "help", "not valid Unicode"),
        ({"name": "x", "dtype": "int", "range": "[1,0]"}, "range", "is empty"),
        ({"name": "x", "dtype": "int", "range": "[1,1)"}, "range", "is empty"),
        ({"name": "x", "dtype": "int", "range": "0..1"}, "range", "must be an interval"),
        ({"name": "x", "dtype": "int", "range": "[0,1,2]"}, "range", "must be an interval"),
        ({"name": "x", "dtype": "int", "range": "[nan,1]"}, "range", "must be an interval"),
        ({"name": "x", "dtype": "int", "range": "[inf,]"}, "range", "must be an interval"),
        ({"name": "x", "dtype": "int", "range": f"[0,{'1' * 5000}]"}, "range", "must be an interval"),
        ({"name": "x", "dtype": "int", "range": [0, 1]}, "range", "must be a text"),
        ({"name": "x", "dtype": "int", "defaultValue": 3.7}, "defaultValue", "is 3.7, not an integer"),
        ({"name": "x", "dtype": "int", "range": "[0,1]", "defaultValue": 2}, "defaultValue", "not in [0,1]"),
        ({"name": "x", "dtype": "float", "defaultValue": math.nan}, "defaultValue", "JSON cannot say"),
        ({"name": "x", "dtype": "string", "defaultValue": ["a"]}, "defaultValue", "not a text"),
        ({"name": "x", "dtype": "string", "defaultValue": "x" * 120_001}, "defaultValue", "120000 bytes"),
        ({"name": "x", "dtype": "select"}, "values", "must be 1 to 500 objects"),
        ({"name": "x", "dtype": "select", "values": []}, "values", "must be 1 to 500 objects"),
        ({"name": "x", "dtype": "select", "values": [3]}, "values[0]", "must be an object"),
        ({"name": "x", "dtype": "select", "values": [{"name": "n"}]}, "values[0].value", "is null"),
        (
            {
                "name": "x",
                "dtype": "select",
                "values": [{"name": "n", "value": 1}, {"name": "m", "value": 1.0}],
            },
            "values[1].value",
            "is a value already",
        ),
        (
            {"name": "x", "dtype": "select", "values": [{"name": "n", "value": 1}], "defaultValue": True},
            "defaultValue",
            "not one of its values",
        ),
        (
            {
                "name": "x",
                "dtype": "select",
                "values": [{"name": "n", "value": 1, "isDefault": True}, {"name": "m", "value": 2}],
                "defaultValue": 2,
            },
            "values",
            "more than one default",
        ),
        ({"name": "x", "dtype": "file", "target": "../x"}, "target", "inside the run directory"),
        ({"name": "x", "dtype": "file", "target": "/etc/x"}, "target", "relative"),
        ({"name": "x", "dtype": "file", "target": "data/"}, "target", "is a directory"),
        ({"name": "x", "dtype": "file", "target": "data/*"}, "target", "a path of one file"),
        ({"name": "x", "dtype": "file", "defaultValue": ".flowserverless/x"}, "defaultValue", "reserved"),
        ({"name": "x", "dtype": "file", "defaultValue": 3}, "defaultValue", "must be a text"),
        ({"name": "x", "dtype": "list"}, "para", "is missing"),
        ({"name": "x", "dtype": "list", "para": []}, "para", "must be an object"),
        (
            {"name": "x", "dtype": "list", "para": {"name": "y", "dtype": "actor"}},
            "para.dtype",
            "not supported",
        ),
        (
            {"name": "x", "dtype": "list", "para": {"name": "y", "dtype": "file"}, "defaultValue": [file()]},
            "defaultValue",
            "cannot be an uploaded file",
        ),
        ({"name": "x", "dtype": "record"}, "fields", "must be a list"),
        ({"name": "x", "dtype": "record", "fields": []}, "fields", "must not be empty"),
        ({"name": "x", "dtype": "record", "fields": [{"name": "y"}]}, "fields[0].dtype", "is missing"),
        (
            {"name": "x", "dtype": "record", "fields": [{"name": "y", "dtype": "int"}] * 2},
            "fields[1].name",
            "declared already",
        ),
    ],
)
def test_every_fault_has_its_place(declaration, place, message):
    found = found_in([{"name": "good", "dtype": "int"}, declaration])
    assert set(found) == {f"parameters[1].{place}"}
    assert message in found[f"parameters[1].{place}"]


def test_all_faults_are_found_at_once():
    found = found_in(
        [
            {"name": "a", "dtype": "no"},
            "b",
            {"name": "c", "dtype": "int", "range": "x", "foo": 1},
            {"name": "c", "dtype": "file", "target": "../c"},
        ]
    )
    assert set(found) == {
        "parameters[0].dtype",
        "parameters[1]",
        "parameters[2].range",
        "parameters[2].foo",
        "parameters[3].target",
        "parameters[3].name",
    }


def test_too_many_and_too_deep_declarations_are_refused():
    assert "more than 200" in found_in([{"name": f"p{n}", "dtype": "int"} for n in range(201)])["parameters"]
    deep = {"name": "x", "dtype": "int"}
    for _ in range(6):
        deep = {"name": "x", "dtype": "list", "para": deep}
    assert list(found_in([deep])) == ["parameters[0]" + ".para" * 6]
    deep = {"name": "x", "dtype": "int"}
    for _ in range(6):
        deep = {"name": "x", "dtype": "record", "fields": [deep]}
    assert list(found_in([deep])) == ["parameters[0]" + ".fields[0]" * 5 + ".fields"]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[0,10)", [0, 9.99], [-0.1, 10, math.inf]),
        ("(0,10]", [0.1, 10], [0]),
        ("[,5]", [-math.inf, -1e300, 5], [5.1]),
        ("(-inf,inf)", [0, 10**18], []),
        (" [ 1 , 1 ] ", [1], [0, 2]),
        ("[-1.5e2,.5)", [-150, 0.49], [0.5]),
        ("[9007199254740993,]", [9007199254740993], [9007199254740992]),
    ],
)
def test_ranges(text, inside, outside):
    [parameter] = declared(dtype="float", range=text)
    assert all(number in parameter.range for number in inside)
    assert not any(number in parameter.range for number in outside)
    assert declared(dtype="float", range=str(parameter.range)) == (parameter,)


NUMBERS = st.none() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, NUMBERS, st.sampled_from("[("), st.sampled_from(")]"), st.integers() | st.floats(allow_nan=False))
def test_a_range_contains_what_its_text_says(low, high, left, right, number):
    text = f"{left}{'' if low is None else low},{'' if high is None else high}{right}"
    try:
        [parameter] = declared(dtype="float", range=text)
    except validation.Faults:
        assert low is not None
        assert high is not None
        assert low >= high
        return
    above = low is None or (low <= number if left == "[" else low < number)
    below = high is None or (number <= high if right == "]" else number < high)
    assert (number in parameter.range) == (above and below)


@pytest.mark.parametrize(
    ("declaration", "value", "expected"),
    [
        ({"dtype": "bool"}, True, True),
        ({"dtype": "bool"}, None, False),
        ({"dtype": "bool"}, "", False),
        ({"dtype": "bool"}, "T", True),
        ({"dtype": "bool"}, "TRUE", True),
        ({"dtype": "bool"}, "f", False),
        ({"dtype": "bool"}, 1, True),
        ({"dtype": "int"}, 3, 3),
        ({"dtype": "int"}, " -3 ", -3),
        ({"dtype": "int"}, 3.0, 3),
        ({"dtype": "int"}, 2**63 - 1, 2**63 - 1),
        ({"dtype": "int", "range": "[0,10)"}, 9, 9),
        ({"dtype": "float"}, 3, 3.0),
        ({"dtype": "float"}, "12.5", 12.5),
        ({"dtype": "float"}, "-inf", -math.inf),
        ({"dtype": "float", "range": "[0,]"}, "1e3", 1000.0),
        ({"dtype": "string"}, "x", "x"),
        ({"dtype": "string"}, "", ""),
        ({"dtype": "string"}, 5, "5"),
        ({"dtype": "string"}, 1.5, "1.5"),
        ({"dtype": "string"}, True, "True"),
        ({"dtype": "string"}, '"; rm -rf ~ #', '"; rm -rf ~ #'),
        ({"dtype": "select", "values": [{"name": "a", "value": 1}]}, 1.0, 1),
        ({"dtype": "select", "values": [{"value": "a"}]}, "a", "a"),
        ({"dtype": "list", "para": {"name": "e", "dtype": "int"}}, ["1", 2], [1, 2]),
        ({"dtype": "list", "para": {"name": "e", "dtype": "int"}}, [], []),
        ({"dtype": "file", "target": "a/../t"}, file(), "t"),
        ({"dtype": "file", "target": "t"}, file(targetPath=None), "t"),
        ({"dtype": "file", "target": "t/u"}, file(targetPath="./t//u"), "t/u"),
        ({"dtype": "file"}, file(), "uploads/p/names.txt"),
        ({"dtype": "file"}, file(targetPath="./u//v"), "uploads/p/u/v"),
        ({"dtype": "file"}, file(targetPath="uploads/p/v"), "uploads/p/v"),
        ({"dtype": "file", "defaultValue": "d"}, file(), "d"),
        ({"dtype": "file", "defaultValue": "d", "target": "t"}, file(), "t"),
    ],
)
def test_values_are_cast(declaration, value, expected):
    found = bound(declared(**declaration), value).values["p"]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("declaration", "value", "message"),
    [
        ({"dtype": "bool"}, "yes", "is 'yes', not a Boolean"),
        ({"dtype": "bool"}, 2, "is 2, not a Boolean"),
        ({"dtype": "bool"}, 1.0, "not a Boolean"),
        ({"dtype": "bool"}, [], "is a list, not a Boolean"),
        ({"dtype": "int"}, 3.7, "is 3.7, not an integer"),
        ({"dtype": "int"}, "3.7", "not an integer"),
        ({"dtype": "int"}, True, "is true, not an integer"),
        ({"dtype": "int"}, None, "is null, not an integer"),
        ({"dtype": "int"}, "inf", "not an integer"),
        ({"dtype": "int"}, math.inf, "not an integer"),
        ({"dtype": "int"}, math.nan, "not an integer"),
        ({"dtype": "int"}, "٣", "not an integer"),
        ({"dtype": "int"}, "1_0", "not an integer"),
        ({"dtype": "int"}, 2**63, "at most 64 bits"),
        ({"dtype": "int"}, "9" * 5000, "not an integer"),
        ({"dtype": "int", "range": "[0,10)"}, 10, "is 10, not in [0,10)"),
        ({"dtype": "float"}, "x", "is 'x', not a number"),
        ({"dtype": "float"}, math.nan, "is nan, not a number"),
        ({"dtype": "float"}, "nan", "not a number"),
        ({"dtype": "float"}, math.inf, "not a number"),
        ({"dtype": "float"}, True, "is true, not a number"),
        ({"dtype": "float"}, None, "not a number"),
        ({"dtype": "float", "range": "[0,]"}, "inf", "not a finite number"),
        ({"dtype": "float", "range": "[0,1]"}, math.nan, "not a finite number"),
        ({"dtype": "float", "range": "[0,1]"}, 1.1, "is 1.1, not in [0,1]"),
        ({"dtype": "string"}, None, "is null, not a text"),
        ({"dtype": "string"}, {"type": "$file", "value": {"fileId": "f1"}}, "is an object, not a text"),
        ({"dtype": "string"}, "a\0b", "NUL"),
        ({"dtype": "string"}, "\ud800", "not valid Unicode"),
        ({"dtype": "string"}, math.nan, "not a text"),
        ({"dtype": "string"}, "ü" * 60_001, "has 120002 bytes, more than 120000"),
        ({"dtype": "select", "values": [{"name": "a", "value": 1}]}, True, "not one of its values"),
        ({"dtype": "select", "values": [{"name": "a", "value": 1}]}, "1", "not one of its values"),
        ({"dtype": "list", "para": {"name": "e", "dtype": "int"}}, "12", "must be a list"),
        ({"dtype": "list", "para": {"name": "e", "dtype": "int"}}, [1, "x"], "'p'[1] is 'x', not an integer"),
        ({"dtype": "list", "para": {"name": "e", "dtype": "int"}}, [1] * 50_000, "more than 120000"),
        ({"dtype": "file", "target": "t"}, "f1", "must be a file"),
        ({"dtype": "file", "target": "t"}, {"type": "$other", "value": {"fileId": "f1"}}, "must be a file"),
        ({"dtype": "file", "target": "t"}, {"type": "$file", "value": "f1"}, "must be a file"),
        ({"dtype": "file", "target": "t"}, {"type": "$file", "value": {"fileId": 1}}, "must be a file"),
        ({"dtype": "file", "target": "t"}, file(as_="x"), "must be a file"),
        ({"dtype": "file", "target": "t"}, file(targetPath=5), "targetPath that is not a text"),
        ({"dtype": "file", "target": "t"}, file(targetPath=""), "must not be empty"),
        ({"dtype": "file", "target": "t"}, file(targetPath="../../x"), "'p' cannot be put there: a path must stay"),
        ({"dtype": "file", "target": "t"}, file(targetPath="/x"), "relative"),
        ({"dtype": "file", "target": "t"}, file(targetPath="--help"), "option"),
        ({"dtype": "file", "target": "t"}, file(targetPath="**"), "a path of one file"),
        ({"dtype": "file", "target": "t"}, file(targetPath="t/report\u202efdp.exe"), "turn the direction"),
        ({"dtype": "file"}, file(targetPath="report\u2067fdp.exe"), "turn the direction"),
        ({"dtype": "file", "target": "t"}, file(targetPath="[a-z]/x"), "a path of one file"),
        ({"dtype": "file", "target": "t"}, file(targetPath=".flowserverless/context.json"), "reserved"),
        ({"dtype": "file"}, file(targetPath="../x"), "inside the run directory"),
        ({"dtype": "file"}, file(targetPath="/x"), "relative"),
        ({"dtype": "file"}, file(targetPath="x/"), "a directory, not a file"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(declaration, value, message):
    with pytest.raises(errors.InvalidRequest) as refused:
        bound(declared(**declaration), value)
    assert message in refused.value.detail
    assert "argument 'p'" in refused.value.detail
    assert refused.value.code == "INVALID_ARGUMENTS"


@pytest.mark.parametrize("dtype", ["bool", "int", "float", "string", "file"])
def test_integers_that_python_cannot_print_are_refused(dtype):
    with pytest.raises(errors.InvalidRequest, match=r"is an integer of 16610 bits, not|must be a file"):
        bound(declared(dtype=dtype), 10**5000)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (None, "must be a list"),
        ({}, "must be a list"),
        ("names", "must be a list"),
        (5, "must be a list"),
        (["names"], "argument 1 must be an object with `name` and `value`"),
        ([NAMES, {"name": "times"}], "argument 2 must be an object"),
        ([NAMES, {"value": 1}], "argument 2 must be an object"),
        ([NAMES, {"name": 3, "value": 1}], "argument 2 must be an object"),
        ([NAMES, {"name": "times", "value": 1, "as": "x"}], "argument 2 must be an object"),
        ([NAMES, {"name": "other", "value": 1}], "unknown parameter 'other'"),
        ([NAMES, NAMES], "duplicate argument 'names'"),
        ([], "missing argument for 'names'"),
        ([NAMES, {"name": "record", "value": {"x": 1}}], "argument 'record' must be a list"),
        ([NAMES, {"name": "record", "value": [{"x": 1}]}], "'record'[0] must be an object"),
        ([NAMES, {"name": "record", "value": []}], "'record' misses the field 'x'"),
        ([NAMES, {"name": "record", "value": [{"name": "q", "value": 1}]}], "'record' has no field 'q'"),
        ([NAMES, {"name": "record", "value": [{"name": "x", "value": 1}] * 2}], "has the field 'x' twice"),
        (
            [NAMES, {"name": "record", "value": [{"name": "x", "value": "q"}]}],
            "'record'.x is 'q', not a number",
        ),
    ],
)
def test_malformed_arguments_are_refused(sent, message):
    with pytest.raises(errors.InvalidRequest) as refused:
        arguments.bind(PARAMETERS, sent, UPLOADS)
    assert message in refused.value.detail


def test_all_that_is_wrong_is_said_at_once():
    sent = [{"name": "times", "value": 99}, {"name": "what", "value": 1}, {"name": "mode", "value": "x"}]
    with pytest.raises(errors.InvalidRequest) as refused:
        arguments.bind(PARAMETERS, sent, UPLOADS)
    assert [part.split(" is")[0] for part in refused.value.detail.split("; ")] == [
        "unknown parameter 'what'",
        "missing argument for 'names'",
        "argument 'times'",
        "argument 'mode'",
    ]


def test_defaults_are_filled_in_and_what_has_none_is_left_out():
    given = [NAMES, {"name": "record", "value": [{"name": "x", "value": 1}]}]
    found = arguments.bind(PARAMETERS, given, UPLOADS)
    assert found.values == {
        "names": "data/names.txt",
        "verbose": False,
        "times": 3,
        "greeting": "Hello",
        "mode": 1,
        "list": [1],
        "record": {"x": 1.0, "y": "-"},
    }
    assert found.files == (arguments.FileArgument("names", "f1", "data/names.txt"),)


def test_the_default_of_a_file_is_a_path_that_is_there_already():
    [parameter] = declared(dtype="file", defaultValue="./data/sample.txt")
    assert arguments.bind([parameter], [], {}) == arguments.Bound({"p": "data/sample.txt"})


def test_files_are_found_in_lists_and_records():
    declarations = parameters.parse(
        [
            {
                "name": "p",
                "dtype": "list",
                "para": {
                    "name": "each",
                    "dtype": "record",
                    "fields": [{"name": "f", "dtype": "file", "target": "in/one.txt"}],
                },
            }
        ]
    )
    value = [[{"name": "f", "value": file("f1")}], [{"name": "f", "value": file("f2", targetPath="in/two.txt")}]]
    assert arguments.referenced_files([{"name": "p", "value": value}]) == {"f1", "f2"}
    found = bound(declarations, value)
    assert found.values == {"p": [{"f": "in/one.txt"}, {"f": "in/two.txt"}]}
    assert [(each.file_id, each.target) for each in found.files] == [("f1", "in/one.txt"), ("f2", "in/two.txt")]


def test_files_that_do_not_exist_are_not_found():
    with pytest.raises(errors.NotFound) as refused:
        bound(declared(dtype="file", target="t"), file("f3"))
    assert refused.value.code == "UNKNOWN_FILE"
    assert "'f3'" in refused.value.detail


def test_no_two_files_share_a_place():
    declarations = parameters.parse(
        [{"name": name, "dtype": "file", "target": target} for name, target in (("a", "t"), ("b", "t"), ("c", "t/u"))]
    )
    for second in ("b", "c"):
        given = [{"name": "a", "value": file()}, {"name": second, "value": file("f2")}]
        with pytest.raises(errors.InvalidRequest, match=f"'a' and '{second}' both claim the path"):
            arguments.bind([declarations[0], *[one for one in declarations if one.name == second]], given, UPLOADS)


STATIC = ("code/score.py", "data/labels.csv", "data/names.txt", "truth/part1.csv")
ELSEWHERE = [
    "truth/part0.csv",
    "truth/part1.csv",
    "code/score.py",
    "code/json.py",
    "code/x.pth",
    "code/conftest.pyw",
    "code/data.csv",
    "GNUmakefile",
    "pytest.ini",
    "data/names.txt/x",
    "data/more.txt",
    "data",
    "DATA/NAMES.TXT",
    "uploads/p/names.txt",
    "names.txt",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_an_upload_lands_where_the_organiser_says_and_nowhere_else(target):
    for declaration in ({"target": "data/names.txt"}, {"defaultValue": "data/names.txt"}):
        with pytest.raises(errors.InvalidRequest, match=r"the workflow puts it at 'data/names\.txt'") as refused:
            bound(declared(dtype="file", **declaration), file(targetPath=target), static=STATIC)
        assert refused.value.code == "INVALID_ARGUMENTS"
    record = declared(dtype="record", fields=[{"name": "f", "dtype": "file", "target": "data/names.txt"}])
    with pytest.raises(errors.InvalidRequest, match="the workflow puts it at"):
        bound(record, [{"name": "f", "value": file(targetPath=target)}], static=STATIC)


@pytest.mark.parametrize("target", ELSEWHERE)
def test_without_a_target_an_upload_lands_apart_from_the_package(target):
    [found] = bound(declared(dtype="file"), file(targetPath=target), static=STATIC).files
    assert found.target == (target if target.startswith("uploads/p/") else f"uploads/p/{target}")


def test_the_organiser_may_let_a_file_be_replaced_and_programs_be_brought():
    assert bound(declared(dtype="file", target="data/names.txt"), file(), static=STATIC).files
    assert bound(declared(dtype="file", target="code/mine.py"), file(), static=STATIC).files


FOLDERS = {"dtype": "list", "para": {"name": "e", "dtype": "file", "target": "in/"}}
FILES = {"dtype": "list", "para": {"name": "e", "dtype": "file", "target": "in/first.csv"}}


def test_callers_name_the_files_of_a_list_below_its_own_folder():
    values = [file(targetPath="in/a.csv"), file("f2", targetPath="in/./sub//b.csv")]
    for declaration in (FOLDERS, FILES):
        assert bound(declared(**declaration), values).values["p"] == ["in/a.csv", "in/sub/b.csv"]
    assert bound(declared(**FOLDERS), [file(), file("f2")]).values["p"] == ["in/names.txt", "in/more.txt"]
    assert bound(declared(**FILES), [file()]).values["p"] == ["in/first.csv"]
    free = declared(dtype="list", para={"name": "e", "dtype": "file"})
    assert bound(free, [file(), file("f2")]).values["p"] == ["uploads/p/names.txt", "uploads/p/more.txt"]


@pytest.mark.parametrize("target", ["a.csv", "in", "in/../truth/part0.csv", "inn/a.csv", "data/x.csv", "IN/a.csv"])
def test_a_list_does_not_leave_its_folder(target):
    for declaration in (FOLDERS, FILES):
        with pytest.raises(errors.InvalidRequest, match="the workflow puts it below 'in/'"):
            bound(declared(**declaration), [file(targetPath=target)], static=STATIC)


def test_a_list_without_a_folder_of_its_own_has_one_place_only():
    declarations = declared(dtype="list", para={"name": "e", "dtype": "file", "target": "first.csv"})
    assert bound(declarations, [file()]).values["p"] == ["first.csv"]
    with pytest.raises(errors.InvalidRequest, match=r"the workflow puts it at 'first\.csv'"):
        bound(declarations, [file(targetPath="second.csv")])


def test_callers_put_nothing_among_the_files_of_the_package_nor_in_place_of_another_argument():
    declarations = declared(dtype="list", para={"name": "e", "dtype": "file", "target": "truth/mine.csv"})
    assert bound(declarations, [file()], static=STATIC).files
    with pytest.raises(errors.InvalidRequest, match="among the workflow's own files"):
        bound(declarations, [file(targetPath="truth/part0.csv")], static=STATIC)
    with pytest.raises(errors.InvalidRequest, match="among the workflow's own files"):
        bound(declared(dtype="file"), file(targetPath="x"), static=("uploads/p/x/y",))
    other = [*declared(**FOLDERS), *parameters.parse([{"name": "o", "dtype": "file", "target": "in/o/x.csv"}])]
    for target in ("in/o", "in/o/x.csv", "in/o/x.csv/y"):
        given = [{"name": "p", "value": [file(targetPath=target)]}, {"name": "o", "value": file("f2")}]
        with pytest.raises(errors.InvalidRequest, match="the place of another argument"):
            arguments.bind(other, given, UPLOADS)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ä.csv", "ä.csv"),
        ("a\u0308.csv", "ä.csv"),
        ("a*b?[1].csv", "a_b__1].csv"),
        ("-rf", "-rf"),
        ("x\u202ey", "x_y"),
        ("c:\\a\\b.csv", "b.csv"),
    ],
)
def test_an_upload_keeps_its_name_as_far_as_it_can_be_a_path(name, path):
    assert bound(declared(dtype="file"), file(), uploads={"f1": name}).values["p"] == f"uploads/p/{path}"


@pytest.mark.parametrize("name", ["..", "a/..", " ", "", "ä" * 200])
def test_an_upload_whose_name_is_no_path_has_a_place_of_its_own(name):
    path = bound(declared(dtype="file"), file(), uploads={"f1": name}).values["p"]
    assert path.startswith("uploads/p/")
    assert len(path) == len("uploads/p/") + 16


@pytest.mark.parametrize("name", ["../code", "a/b", "..", ".", "x" * 100, "a*b", "-x", "ü" * 100])
def test_each_parameter_without_a_target_has_a_folder_of_its_own(name):
    declarations = parameters.parse([{"name": name, "dtype": "file"}, {"name": "other", "dtype": "file"}])
    given = [{"name": name, "value": file()}, {"name": "other", "value": file("f2", targetPath="names.txt")}]
    first, second = (each.target for each in arguments.bind(declarations, given, UPLOADS).files)
    assert first.split("/")[0] == second.split("/")[0] == "uploads"
    assert len(first.split("/")) == 3
    assert first.split("/")[1] != second.split("/")[1]


def test_fields_of_a_record_have_folders_of_their_own():
    record = declared(dtype="record", fields=[{"name": "a", "dtype": "file"}, {"name": "b", "dtype": "file"}])
    value = [{"name": "a", "value": file()}, {"name": "b", "value": file()}]
    assert bound(record, value).values["p"] == {"a": "uploads/p/a/names.txt", "b": "uploads/p/b/names.txt"}


def test_only_lists_have_a_folder_as_target():
    assert declared(**FOLDERS)[0].para.target == "in/"
    assert parameters.parse([parameters.document(each) for each in declared(**FOLDERS)]) == declared(**FOLDERS)
    assert (
        "a directory, not a file" in found_in([{"name": "p", "dtype": "file", "target": "in/"}])["parameters[0].target"]
    )


def test_the_number_of_files_is_bounded():
    many = [file(f"f{n}", targetPath=f"t{n}") for n in range(101)]
    with pytest.raises(errors.InvalidRequest, match="at most 90 files"):
        arguments.referenced_files(many)
    assert len(arguments.referenced_files(many[:90])) == 90
    declarations = declared(dtype="list", para={"name": "e", "dtype": "file"})
    same = [file("f1", targetPath=f"t{n}") for n in range(101)]
    with pytest.raises(errors.InvalidRequest, match="at most 90 files"):
        bound(declarations, same)


@pytest.mark.parametrize("file_id", ["", "a/b", "a b", "a" * 65, "é", "a\n"])
def test_what_cannot_be_the_id_of_an_upload_is_not_looked_up(file_id):
    assert arguments.referenced_files([{"name": "p", "value": file(file_id)}]) == frozenset()
    with pytest.raises(errors.NotFound):
        bound(declared(dtype="file", target="t"), file(file_id))


ARGUMENTS = [
    NAMES,
    {"name": "free", "value": {"type": "$file", "value": {"fileId": "f2", "targetPath": "x/y"}}},
    {"name": "times", "value": 5},
    {"name": "any number", "value": "inf"},
    {"name": "greeting", "value": "$(reboot)"},
    {"name": "mode", "value": True},
    {"name": "list", "value": [1, 2]},
    {"name": "files", "value": [file("f1", targetPath="z")]},
    {"name": "record", "value": [{"name": "x", "value": "1e3"}]},
]


def bound_or_refused(sent):
    """Whether arguments are accepted; either way it must be so without any other error."""
    found, refused = outcome(arguments.bind, PARAMETERS, sent, UPLOADS)
    if refused:
        assert refused.detail.encode()
        assert len(refused.detail) <= 2000
        return False
    assert {each.file_id for each in found.files} <= arguments.referenced_files(sent)
    assert {parameter.name for parameter in PARAMETERS if parameter.required} <= found.values.keys()
    for value in found.values.values():
        assert "\0" not in values.text(value)
        assert values.text(value).encode() or value == ""
        assert json.dumps(values.json_value(value), allow_nan=False)
    return True


@given(strategies.VALUES | strategies.mutations(ARGUMENTS))
def test_any_arguments_are_bound_or_refused(sent):
    assert bound_or_refused(sent) in (True, False)


def test_with_anything_exchanged_arguments_are_bound_or_refused():
    accepted = [bound_or_refused(each) for each in strategies.exchanges(ARGUMENTS)]
    assert accepted.count(False) > 100
    assert accepted.count(True) > 10


@given(strategies.VALUES)
def test_files_can_be_looked_for_in_anything(value):
    assert all(isinstance(each, str) for each in arguments.referenced_files(value))


@given(st.lists(st.sampled_from(ARGUMENTS), unique_by=lambda argument: argument["name"]))
def test_binding_twice_gives_the_same(sent):
    found, refused = outcome(arguments.bind, PARAMETERS, sent, UPLOADS)
    if NAMES not in sent:
        assert refused.detail == "missing argument for 'names'"
        return
    again = tuple(parameters.parse([parameters.document(each) for each in PARAMETERS]))
    assert arguments.bind(again, json.loads(json.dumps(sent)), UPLOADS) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (False, "False"),
        (3, "3"),
        (1.0, "1.0"),
        (math.inf, "inf"),
        ("a b", "a b"),
        ([1, "ü", True, None, -math.inf], '[1, "ü", true, null, "-inf"]'),
        ({"a": {"b": 1.5}}, '{"a": {"b": 1.5}}'),
    ],
)
def test_values_as_a_step_reads_them(value, text):
    assert values.text(value) == text


def record(*fields, **more):
    return {"name": "r", "dtype": "record", "fields": list(fields), "defaultValue": [], **more}


def test_the_empty_default_of_a_record_is_filled_in_with_those_of_its_fields():
    warned = []
    declared = parameters.parse([record({"name": "x", "dtype": "int", "defaultValue": 3})], warned=warned)
    assert (declared[0].required, warned) == (False, [])
    assert arguments.bind(declared, [], {}).values == {"r": {"x": 3}}


@pytest.mark.parametrize(("more", "required"), [({}, True), ({"isRequired": False}, False)])
def test_the_empty_default_of_a_record_that_misses_a_field_is_none_and_warned_of(more, required):
    warned = []
    declared = parameters.parse([record({"name": "x", "dtype": "int"}, **more)], warned=warned)
    assert (declared[0].required, declared[0].default) == (required, None)
    [warning] = warned
    assert (warning.place, "misses the field 'x'" in warning.message) == ("parameters[0].defaultValue", True)
    if required:
        with pytest.raises(errors.InvalidRequest, match="missing argument for 'r'"):
            arguments.bind(declared, [], {})

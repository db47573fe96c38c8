"""Result schemas are refused with every fault they have; no result file, whatever is in it, loses a run."""

import json
import math
import string
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowserverless.domain import validation
from flowserverless.domain.ranking import rank_keys, results

MOMENT = datetime(2026, 11, 23, 5, 59, 54, 511867, UTC)

DECLARED = {
    "file": "results/scores.json",
    "schema": [
        {"name": "score", "label": "Score", "dtype": "float", "path": "test/score"},
        {"name": "count", "label": "Count", "dtype": "int", "required": False},
        {"name": "model", "label": "Model", "dtype": "string", "required": False},
    ],
    "orderBy": [{"name": "score"}, {"name": "count", "sortDesc": False}],
}
SCHEMA = results.parse(DECLARED)


def places(document, place="results"):
    with pytest.raises(validation.Faults) as raised:
        results.parse(document, place)
    return [fault.place for fault in raised.value.faults]


def changed(**elements):
    return {**DECLARED, **elements}


def with_column(**elements):
    return changed(schema=[{**DECLARED["schema"][0], **elements}, *DECLARED["schema"][1:]])


# The declaration of a schema


def test_a_schema_is_read_as_declared():
    assert SCHEMA == results.ResultSchema(
        "results/scores.json",
        (
            results.Column("score", "Score", "float", ("test", "score"), True),
            results.Column("count", "Count", "int", ("count",), False),
            results.Column("model", "Model", "string", ("model",), False),
        ),
        (results.OrderBy("score", True), results.OrderBy("count", False)),
    )


@pytest.mark.parametrize("order", [None, []])
def test_without_an_order_the_first_column_ranks_the_highest_first(order):
    assert results.parse(changed(orderBy=order)).order == (results.OrderBy("score", True),)


@st.composite
def schemas(draw):
    names = st.text(string.ascii_letters + string.digits + "_ /:é", min_size=1, max_size=8).filter(str.strip)
    steps = st.text(string.ascii_letters, min_size=1, max_size=4)
    columns = draw(
        st.lists(
            st.builds(
                results.Column,
                name=names,
                label=names,
                dtype=st.sampled_from(results.DTYPES),
                path=st.lists(steps, min_size=1, max_size=3).map(tuple),
                required=st.booleans(),
            ),
            min_size=1,
            max_size=6,
            unique_by=(lambda column: column.name, lambda column: column.label),
        )
    )
    ordering = draw(st.lists(st.sampled_from(columns), min_size=1, unique_by=lambda column: column.name))
    order = [results.OrderBy(column.name, draw(st.booleans())) for column in ordering]
    return results.ResultSchema("/".join(draw(st.lists(steps, min_size=1))), tuple(columns), tuple(order))


@given(schemas())
def test_a_schema_survives_being_written_and_read(schema):
    written = json.loads(json.dumps(results.document(schema)))

    assert results.parse(written) == schema


def test_a_name_with_a_slash_is_one_key_unless_a_path_says_otherwise():
    column = {"name": "a/b", "label": "AB", "dtype": "int"}
    one_key = results.parse({"file": "r.json", "schema": [column]})
    two_keys = results.parse({"file": "r.json", "schema": [{**column, "path": "a/b"}]})

    assert results.read(one_key, {"a/b": 1, "a": {"b": 2}}) == (1,)
    assert results.read(two_keys, {"a/b": 1, "a": {"b": 2}}) == (2,)
    assert results.parse(results.document(one_key)) == one_key
    assert results.parse(results.document(two_keys)) == two_keys


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (None, "results"),
        ([], "results"),
        (changed(file=None), "results.file"),
        (changed(file=""), "results.file"),
        (changed(file=7), "results.file"),
        (changed(file="../scores.json"), "results.file"),
        (changed(file="/scores.json"), "results.file"),
        (changed(file="results/"), "results.file"),
        (changed(schema=None), "results.schema"),
        (changed(schema={}), "results.schema"),
        (changed(order=[]), "results.order"),
        (changed(schema=[7, *DECLARED["schema"]]), "results.schema[0]"),
        ({**with_column(name=None), "orderBy": None}, "results.schema[0].name"),
        (with_column(label=" "), "results.schema[0].label"),
        (with_column(dtype=None), "results.schema[0].dtype"),
        (with_column(dtype="decimal"), "results.schema[0].dtype"),
        (with_column(dtype=["int"]), "results.schema[0].dtype"),
        (with_column(path=""), "results.schema[0].path"),
        (with_column(path="/score"), "results.schema[0].path"),
        (with_column(path=["score"]), "results.schema[0].path"),
        (with_column(required="no"), "results.schema[0].required"),
        (with_column(type="int"), "results.schema[0].type"),
        (with_column(label="Model"), "results.schema[2].label"),
        (
            changed(schema=[*DECLARED["schema"], {**DECLARED["schema"][0], "label": "Other"}]),
            "results.schema[3].name",
        ),
        (changed(orderBy={}), "results.orderBy"),
        (changed(orderBy=["score"]), "results.orderBy[0]"),
        (changed(orderBy=[{"name": "speed"}]), "results.orderBy[0].name"),
        (changed(orderBy=[{"sortDesc": True}]), "results.orderBy[0].name"),
        (changed(orderBy=[{"name": "score"}, {"name": "score"}]), "results.orderBy[1].name"),
        (changed(orderBy=[{"name": "score", "sortDesc": "asc"}]), "results.orderBy[0].sortDesc"),
        (changed(orderBy=[{"name": "score", "sortdesc": False}]), "results.orderBy[0].sortdesc"),
    ],
)
def test_a_fault_is_found_where_it_is(document, place):
    assert places(document) == [place]


def test_a_schema_of_no_columns_is_refused():
    assert places({"file": "r.json", "schema": []}) == ["results.schema"]


def test_more_columns_than_an_entry_or_a_key_holds_are_refused():
    columns = [{"name": f"c{n}", "label": f"C{n}", "dtype": "int"} for n in range(51)]
    order = [{"name": f"c{n}"} for n in range(9)]

    assert len(results.parse({"file": "r", "schema": columns[:50], "orderBy": order[:8]}).order) == 8
    assert places({"file": "r", "schema": columns, "orderBy": order}) == ["results.schema", "results.orderBy"]


def test_all_faults_are_found_at_once():
    document = {
        "schema": [
            {"name": "a", "label": "A", "dtype": "decimal"},
            {"name": "a", "dtype": "int", "size": 1},
        ],
        "orderBy": [{"name": "a"}, {"name": "z", "sortDesc": 1}],
    }

    assert sorted(places(document, "spec.results")) == [
        "spec.results.file",
        "spec.results.orderBy[1].name",
        "spec.results.orderBy[1].sortDesc",
        "spec.results.schema[0].dtype",
        "spec.results.schema[1].label",
        "spec.results.schema[1].name",
        "spec.results.schema[1].size",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = st.sampled_from(["file", "schema", "orderBy", "name", "label", "dtype", "path", "required", "sortDesc"])
NEARLY_SCHEMAS = st.dictionaries(
    ELEMENTS,
    JSON | st.lists(st.dictionaries(ELEMENTS, JSON | st.sampled_from(results.DTYPES), max_size=4), max_size=3),
)


@given(JSON | NEARLY_SCHEMAS)
def test_any_document_is_a_schema_or_a_list_of_faults(document):
    try:
        schema = results.parse(document)
    except validation.Faults as refusal:
        found = refusal.faults
    else:
        found = None
        assert results.parse(results.document(schema)) == schema
    assert found is None or len(found) > 0


# The values of a run


@pytest.mark.parametrize(
    ("dtype", "found", "value"),
    [
        ("int", 3, 3),
        ("int", 3.0, 3),
        ("int", "3", 3),
        ("int", " -3\n", -3),
        ("int", True, 1),
        ("int", 2**63 - 1, 2**63 - 1),
        ("int", -(2**63), -(2**63)),
        ("int", str(-(2**63)), -(2**63)),
        ("float", 12.5, 12.5),
        ("float", "12.5", 12.5),
        ("float", " 1e3 ", 1000.0),
        ("float", 3, 3.0),
        ("float", True, 1.0),
        ("float", math.inf, math.inf),
        ("float", "-Infinity", -math.inf),
        ("float", 2**70, float(2**70)),
        ("string", "resnet", "resnet"),
        ("string", "", ""),
        ("string", 7, "7"),
        ("string", 1.5, "1.5"),
        ("string", False, "False"),
        pytest.param("string", "x" * 1024, "x" * 1024, id="string-longest"),
        ("string", "half \ud83d", "half ?"),
    ],
)
def test_a_value_is_cast_to_the_type_of_its_column(dtype, found, value):
    schema = results.parse({"file": "r.json", "schema": [{"name": "x", "label": "X", "dtype": dtype}]})

    row = results.read(schema, {"x": found})

    assert row == (value,)
    assert [type(cell) for cell in row] == [type(value)]


@pytest.mark.parametrize("found", [math.nan, "nan", "NaN"])
def test_not_a_number_is_a_value_of_a_float_column(found):
    schema = results.parse({"file": "r.json", "schema": [{"name": "x", "label": "X", "dtype": "float"}]})

    row = results.read(schema, {"x": found})

    assert isinstance(row, tuple)
    assert math.isnan(row[0])


@pytest.mark.parametrize(
    ("dtype", "found", "code", "said"),
    [
        ("int", 3.7, "NOT_AN_INTEGER", "3.7"),
        ("int", "3.7", "NOT_AN_INTEGER", "'3.7'"),
        ("int", "1_000", "NOT_AN_INTEGER", "'1_000'"),
        ("int", "٣", "NOT_AN_INTEGER", "'٣'"),
        ("int", 2**63, "NOT_AN_INTEGER", "64 bits"),
        ("int", str(2**63), "NOT_AN_INTEGER", "64 bits"),
        pytest.param("int", 1 << 40_000, "NOT_AN_INTEGER", "an integer of 40001 bits", id="int-beyond"),
        ("int", math.nan, "NOT_AN_INTEGER", "is nan"),
        ("int", math.inf, "NOT_AN_INTEGER", "is inf"),
        ("int", [3], "NOT_AN_INTEGER", "a list"),
        ("float", "fast", "NOT_A_NUMBER", "'fast'"),
        ("float", "", "NOT_A_NUMBER", "''"),
        ("float", "1_0.5", "NOT_A_NUMBER", "'1_0.5'"),
        ("float", "१.५", "NOT_A_NUMBER", "'१.५'"),
        ("float", "9" * 50 + "x", "NOT_A_NUMBER", "'" + "9" * 40 + "'..."),
        ("float", {"value": 1}, "NOT_A_NUMBER", "an object"),
        pytest.param("float", 10**400, "NOT_A_NUMBER", "an integer of 1329 bits", id="float-beyond"),
        ("string", ["a"], "NOT_A_TEXT", "a list"),
        pytest.param("string", "x" * 1025, "NOT_A_TEXT", "at most 1024 characters", id="string-long"),
        pytest.param("string", 1 << 40_000, "NOT_A_TEXT", "an integer of 40001 bits, not a text", id="string-beyond"),
        ("float", None, "MISSING_COLUMN", "no value"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_was_found(dtype, found, code, said):
    schema = results.parse({"file": "r.json", "schema": [{"name": "x", "label": "X", "dtype": dtype}]})

    reason = results.read(schema, {"x": found})

    assert isinstance(reason, results.NotRanked)
    assert reason.code == code
    assert "'x'" in reason.detail
    assert said in reason.detail
    assert len(reason.detail) < 200


def test_a_row_has_a_value_for_every_column_in_their_order():
    assert results.read(SCHEMA, {"model": "m", "test": {"score": 2}, "more": []}) == (2.0, None, "m")


@pytest.mark.parametrize(
    "document", [{}, {"test": 5}, {"test": {}}, {"test": {"score": None}}, {"test": [{"score": 1}]}]
)
def test_a_required_value_that_is_not_at_its_path_is_missing(document):
    assert results.read(SCHEMA, document) == results.NotRanked("MISSING_COLUMN", "there is no value for column 'score'")


def test_the_reason_names_every_column_at_fault_and_has_the_code_of_the_first():
    reason = results.read(SCHEMA, {"count": 3.7, "model": {}})

    assert reason.code == "MISSING_COLUMN"
    assert [part.split("'")[1] for part in reason.detail.split("; ")] == ["score", "count", "model"]


@pytest.mark.parametrize("document", [None, [], 3, "text", [{"test": {"score": 1}}]])
def test_a_result_that_is_no_object_cannot_be_read(document):
    assert results.read(SCHEMA, document).code == "UNREADABLE_RESULT_FILE"


# The result file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_json_is_read_in_any_encoding_of_unicode(encoding):
    assert results.load('{"é": [NaN, -Infinity]}'.encode(encoding), "r.json").keys() == {"é"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"score: 1",
        b'{"a": 1',
        b"\xff\xfe\xfd",
        b"[" * 200_000,
        b'{"a": ' * 200_000,
        b"9" * 5000,
        b"\x00" * 7,
    ],
    ids=["empty", "yaml", "cut off", "no text", "deep lists", "deep objects", "long number", "zeros"],
)
def test_what_is_not_json_is_refused_by_its_name(content):
    with pytest.raises(ValueError, match=r"^out/r\.json is n"):
        results.load(content, "out/r.json")


def test_a_file_that_is_too_large_is_not_even_parsed():
    limit = results.MAX_FILE_BYTES

    assert results.load(b"[" + b" " * (limit - 2) + b"]", "r.json") == []
    with pytest.raises(ValueError, match="larger than"):
        results.load(b"[" + b" " * (limit - 1) + b"]", "r.json")


def key_and_value(content):
    return dict(line.split(": ") for line in content.decode().splitlines())


def failing(content):
    raise IndexError("string index out of range")


def test_yaml_is_read_by_the_given_loader_if_the_file_is_named_so():
    assert results.load(b"score: 1", "r.yaml", key_and_value) == {"score": "1"}
    assert results.load(b"score: 1", "R.YML", key_and_value) == {"score": "1"}
    assert results.load(b'{"score": 1}', "r.yml", failing) == {"score": 1}
    with pytest.raises(ValueError, match="not JSON"):
        results.load(b"score: 1", "r.json", key_and_value)
    with pytest.raises(ValueError, match=r"r\.yaml is not YAML: string index"):
        results.load(b"score: 1", "r.yaml", failing)


def test_yaml_is_read_up_to_a_size_of_its_own():
    line = b"score: 1"
    largest = line + b" " * (results.MAX_YAML_BYTES - len(line))

    assert results.load(largest, "r.yaml", key_and_value)["score"].strip() == "1"
    with pytest.raises(ValueError, match="larger than"):
        results.load(largest + b" ", "r.yaml", key_and_value)
    assert results.load(b"[" + b" " * results.MAX_YAML_BYTES + b"]", "r.yaml", failing) == []


def test_a_reason_stays_small_and_storable_whatever_the_file_holds():
    def quoting(content):
        raise RuntimeError(f"unknown tag\n  !{'x' * 100_000}")

    def half_a_pair(content):
        raise RuntimeError("unknown tag \ud83d")

    columns = tuple(results.Column("n" * 100 + str(n), f"L{n}", "int", ("x",)) for n in range(50))
    schema = results.ResultSchema("r.yaml", columns, (results.OrderBy(columns[0].name),))

    assert len(results.extract(schema, b"a: b", quoting).detail) < 300
    assert results.extract(schema, b"a: b", half_a_pair).detail.encode()
    assert len(results.extract(schema, b"{}").detail) <= 1024


def test_a_run_without_its_result_file_is_not_ranked():
    reason = results.extract(SCHEMA, None)

    assert reason == results.NotRanked("NO_RESULT_FILE", "the run did not write results/scores.json")


def test_a_run_with_an_unreadable_result_file_is_not_ranked():
    reason = results.extract(SCHEMA, b"accuracy 0.7")

    assert reason.code == "UNREADABLE_RESULT_FILE"
    assert reason.detail.startswith("results/scores.json is not JSON")


@given(
    schemas(),
    st.one_of(
        st.binary(max_size=60),
        JSON.map(lambda document: json.dumps(document).encode()),
        st.text('[]{}":,.0123456789eE-+ \\unaNIfity', max_size=40).map(str.encode),
    ),
    st.data(),
)
def test_any_file_gives_a_row_that_can_be_ranked_and_shown_or_a_reason(schema, content, data):
    if data.draw(st.booleans()):
        document = {}
        for column in schema.columns:
            inner = document
            for step in column.path[:-1]:
                inner = inner[step] if isinstance(inner.get(step), dict) else inner.setdefault(step + "_", {})
            inner[column.path[-1]] = data.draw(JSON)
        content = json.dumps(document).encode()

    outcome = results.extract(schema, content)

    if isinstance(outcome, results.NotRanked):
        assert outcome.code.isupper()
        assert outcome.detail.encode()
    else:
        assert len(outcome) == len(schema.columns)
        assert len(rank_keys.key(schema, outcome, MOMENT, "g-1")) <= 1024
        shown = [results.json_value(value) for value in outcome]
        assert json.dumps(shown, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.nan, None),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (0.5, 0.5),
        (2**63 - 1, 2**63 - 1),
        ("nan", "nan"),
        (None, None),
    ],
)
def test_a_value_is_shown_as_valid_json(value, shown):
    assert results.json_value(value) == shown


@given(st.floats() | st.integers() | st.text() | st.none())
@example(math.nan)
def test_every_value_is_valid_json(value):
    assert json.loads(json.dumps(results.json_value(value), allow_nan=False)) == results.json_value(value)


def test_a_row_that_no_item_of_the_table_could_hold_is_not_ranked():
    names = [f"c{number}" for number in range(results.MAX_COLUMNS)]
    schema = results.parse(
        {"file": "r.json", "schema": [{"name": name, "label": name, "dtype": "string"} for name in names]}
    )
    fits, too_long = "x" * 600, "\N{OLD ITALIC LETTER A}" * 600
    assert results.read(schema, dict.fromkeys(names, fits)) == (fits,) * len(names)
    outcome = results.read(schema, dict.fromkeys(names, too_long))
    assert isinstance(outcome, results.NotRanked)
    assert outcome.code == "TEXTS_TOO_LONG"


def column(path, **more):
    return results.parse(
        {"file": "x.json", "schema": [{"name": "m", "label": "M", "dtype": "int", "path": path, **more}]}
    )


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("items/0/score", {"items": [{"score": 7}, {"score": 8}]}),
        ("items/1", {"items": [1, 7]}),
        ("a/10/b", {"a": [{}] * 10 + [{"b": 7}]}),
        ("a/0/1", {"a": [[1, 7]]}),
        ("a/0", {"a": {"0": 7}}),
        ("a~1b/c", {"a/b": {"c": 7}}),
        ("~0x", {"~x": 7}),
        ("a~01", {"a~1": 7}),
        ("a~b", {"a~b": 7}),
        ("~1", {"/": 7}),
    ],
)
def test_a_path_names_elements_of_lists_and_keys_with_a_slash(path, document):
    schema = column(path)
    assert results.read(schema, document) == (7,)
    assert results.parse(results.document(schema)) == schema


@pytest.mark.parametrize(
    "path", ["items/2", "items/-1", "items/01", "items/x", "items/0/0", "items/99999999999", "items/\uff11"]
)
def test_what_a_list_has_not_is_missing(path):
    assert results.read(column(path), {"items": [1, 2]}).code == "MISSING_COLUMN"
    assert results.read(column(path, required=False), {"items": [1, 2]}) == (None,)


def test_a_column_without_path_is_found_under_its_very_name():
    schema = results.parse({"file": "x.json", "schema": [{"name": "a/b~1", "label": "M", "dtype": "int"}]})
    assert results.read(schema, {"a/b~1": 7}) == (7,)
    assert results.parse(results.document(schema)) == schema

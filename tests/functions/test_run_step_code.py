"""Steps that are a function, and what they hand to the steps behind them."""

import json

import pytest
import run_step_stage as stage

CONTEXT = ".flowserverless/context.json"


@pytest.fixture
def store():
    with stage.Store() as store:
        yield store


def code(store, source, *, func="pkg.mod.fn", arg="result", variables=None, inputs=None, **members):
    return store.run(
        kind="code",
        code={"func": func, "arg": arg, "variables": variables or {}},
        inputs={"pkg/mod.py": source.encode(), **(inputs or {})},
        **members,
    )


def test_a_function_is_called_with_what_it_asks_for_and_its_result_is_kept(store):
    result = code(
        store,
        "def fn(n, text, other='default'):\n    print('called')\n    return {'n': n, 'text': text, 'other': other}\n",
        variables={"text": "greeting"},
        values={"n": 3, "greeting": "hello", "unused": 1},
    )
    assert result["reason"] is None
    assert result["messages"] == ["called\n"]
    assert set(store.outputs()) == {CONTEXT}, "no compiled files either"
    assert json.loads(store.outputs()[CONTEXT]) == {"result": {"n": 3, "text": "hello", "other": "default"}}


def test_variables_are_text_where_their_values_are_not_known(store):
    source = b"def fn(n, m):\n    return [n, m]\n"
    store.run(
        kind="code",
        code={"func": "mod.fn", "arg": "result"},
        variables={"n": "3", "m": "4"},
        values={"n": 3},
        inputs={"mod.py": source},
    )
    assert json.loads(store.outputs()[CONTEXT]) == {"result": [3, "4"]}


def test_a_function_works_in_the_run_directory(store):
    code(
        store,
        "def fn():\n    open('made', 'w').write(open('data').read())\n",
        arg=None,
        inputs={"data": b"d"},
    )
    assert store.outputs() == {"made": b"d"}


def test_an_exception_fails_the_step_with_its_traceback(store):
    result = code(store, "def fn():\n    raise LookupError('not there')\n")
    assert (result["exitCode"], result["reason"]["code"]) == (1, "STEP_FAILED")
    assert result["messages"][0].rstrip().endswith("LookupError: not there")
    assert store.outputs() == {}


@pytest.mark.parametrize("func", ["pkg.mod.missing", "nowhere.fn", "fn"])
def test_a_function_that_is_not_there_fails_the_step(store, func):
    assert code(store, "def fn():\n    pass\n", func=func)["reason"]["code"] == "STEP_FAILED"


def test_a_result_that_has_no_form_in_json_fails_the_step_and_says_so(store):
    result = code(store, "def fn():\n    return object()\n")
    assert result["reason"]["code"] == "STEP_FAILED"
    assert "a object cannot be handed to later steps" in result["messages"][0]


def test_arrays_have_a_form_in_json(store):
    code(store, "class Array:\n    def tolist(self):\n        return [1, 2]\ndef fn():\n    return Array()\n")
    assert json.loads(store.outputs()[CONTEXT]) == {"result": [1, 2]}


def test_results_are_added_to_those_of_earlier_steps_and_win_over_variables(store):
    code(
        store,
        "def fn(a, b):\n    return a + b\n",
        arg="c",
        values={"a": 1, "b": 100},
        inputs={CONTEXT: b'{"a": 10, "x": "kept"}'},
    )
    assert json.loads(store.outputs()[CONTEXT]) == {"a": 10, "x": "kept", "c": 110}


def test_commands_see_the_results_of_earlier_functions_as_variables(store):
    context = {
        "number": 4,
        "text": "a b",
        "flag": True,
        "list": [1, "x"],
        "none": None,
        "not a name": 1,
        "PATH": "/nowhere",
        "huge": "x" * 200_000,
        "zero": "a\0b",
        "half": "\ud800",
    }
    result = store.run(
        'printf "%s|" "$number" "$text" "$flag" "$list" "$none" "$own" "${huge-unset}" "${zero-unset}" > out',
        inputs={CONTEXT: json.dumps(context).encode()},
        variables={"own": "o", "text": "of the workflow"},
    )
    assert result["reason"] is None
    assert store.outputs() == {"out": b'4|a b|True|[1, "x"]|null|o|unset|unset|'}


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000], ids=["empty", "list", "half", "bytes", "deep"]
)
def test_a_context_that_a_step_has_spoilt_does_no_harm_to_commands(store, content):
    result = store.run('echo "$own" > out', inputs={CONTEXT: content}, variables={"own": "o"})
    assert result["reason"] is None
    assert store.outputs() == {"out": b"o\n"}


def test_modules_of_the_runner_are_not_in_the_way_of_the_step(store):
    source = "import cage, transfer\ndef fn():\n    return [cage.MINE, transfer.MINE]\n"
    code(store, source, inputs={"cage.py": b"MINE = 1", "transfer.py": b"MINE = 2"})
    assert json.loads(store.outputs()[CONTEXT]) == {"result": [1, 2]}

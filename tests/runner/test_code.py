"""Steps that are a function."""

import json

import pytest

from support import runner


def code(store, source, *, func="pkg.mod.fn", arg="result", variables=None, inputs=None, **members):
    return store.run(
        kind="code",
        code={"func": func, "arg": arg, "variables": variables or {}},
        result=store.form(runner.RETURNED) if arg else None,
        inputs={"pkg/mod.py": source.encode(), **(inputs or {})},
        **members,
    )


def returned(store):
    """What the function of the step handed on."""
    return json.loads(store.objects[runner.RETURNED])


def test_a_function_is_called_with_what_it_asks_for_and_its_result_is_kept(store):
    result = code(
        store,
        "def fn(n, text, other='default'):\n    print('called')\n    return {'n': n, 'text': text, 'other': other}\n",
        variables={"text": "greeting"},
        values={"n": 3, "greeting": "hello", "unused": 1},
    )
    assert result["reason"] is None
    assert result["messages"] == ["called\n"]
    assert store.outputs() == {}, "no compiled files, and no notes of the runner"
    assert returned(store) == {"result": {"n": 3, "text": "hello", "other": "default"}}


def test_variables_are_text_where_their_values_are_not_known(store):
    source = "def fn(n, m):\n    return [n, m]\n"
    code(store, source, variables={"n": "n", "m": "m"}, values={"n": 3})
    assert "missing 1 required positional argument: 'm'" in store.log
    store.run(
        kind="code",
        code={"func": "mod.fn", "arg": "result"},
        result=store.form(runner.RETURNED),
        variables={"n": "3", "m": "4"},
        values={"n": 3},
        inputs={"mod.py": source.encode()},
    )
    assert returned(store) == {"result": [3, "4"]}


def test_a_function_works_in_the_run_directory(store):
    code(
        store,
        "def fn():\n    open('made', 'w').write(open('data').read())\n",
        arg=None,
        inputs={"data": b"d"},
    )
    assert store.outputs() == {"made": b"d"}
    assert runner.RETURNED not in store.objects


def test_an_exception_fails_the_step_with_its_traceback(store):
    result = code(store, "def fn():\n    raise LookupError('not there')\n")
    assert (result["exitCode"], result["reason"]["code"]) == (1, "STEP_FAILED")
    assert result["messages"][0].rstrip().endswith("LookupError: not there")
    assert store.outputs() == {}
    assert runner.RETURNED not in store.objects


@pytest.mark.parametrize("func", ["pkg.mod.missing", "nowhere.fn", "fn"])
def test_a_function_that_is_not_there_fails_the_step(store, func):
    assert code(store, "def fn():\n    pass\n", func=func)["reason"]["code"] == "STEP_FAILED"


def test_a_result_that_has_no_form_in_json_fails_the_step_and_says_so(store):
    result = code(store, "def fn():\n    return object()\n")
    assert result["reason"]["code"] == "STEP_FAILED"
    assert "a object cannot be handed to later steps" in result["messages"][0]


def test_arrays_have_a_form_in_json(store):
    code(store, "class Array:\n    def tolist(self):\n        return [1, 2]\ndef fn():\n    return Array()\n")
    assert returned(store) == {"result": [1, 2]}


@pytest.mark.parametrize("value", ["None", "''", "[]", "float('inf')", "'ünïcödé 😀'", "{'a': [None, True]}"])
def test_whatever_has_a_form_in_json_is_handed_on(store, value):
    assert code(store, f"def fn():\n    return {value}\n")["reason"] is None
    assert returned(store) == {"result": eval(value)}


HOME = "import json, os, sys\nhome = os.environ['HOME']\nfile = json.load(open(sys.argv[-1]))['result']\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def fn():\n    os._exit(0)", "is missing: the program ended before the function returned"),
        ("def fn():\n    os.mkdir(file)\n    os._exit(0)", "is no file"),
        ("def fn():\n    os.mkfifo(file)\n    os._exit(0)", "is no file"),
        ("def fn():\n    os.symlink('/etc/passwd', file)\n    os._exit(0)", "is missing"),
        ("def fn():\n    open(file, 'w').write('{')\n    os._exit(0)", "cannot be read as JSON"),
        ("def fn():\n    open(file, 'wb').write(b'\\xff')\n    os._exit(0)", "cannot be read as JSON"),
        ("def fn():\n    open(file, 'w').write('[' * 100_000)\n    os._exit(0)", "cannot be read as JSON"),
        ("def fn():\n    open(file, 'w').write('[' * 200 + ']' * 200)\n    os._exit(0)", "levels deep"),
        ("def fn():\n    return 'x' * (4 << 20)", "has more than 4194304 bytes as JSON"),
        (
            "def fn():\n    os.truncate(os.open(file, 65), 10_000_000)\n    os._exit(0)",
            "has more",
        ),
    ],
)
def test_what_cannot_be_handed_on_fails_the_step_and_says_why(store, source, said):
    result = code(store, HOME + source + "\n")
    assert result["reason"]["code"] == "STEP_FAILED"
    assert said in str(result["reason"])
    assert runner.RETURNED not in store.objects


def test_a_result_that_the_store_refuses_fails_the_step(store):
    store.always_refused[runner.RETURNED] = (403, "AccessDenied")
    assert code(store, "def fn():\n    return 1\n")["reason"]["code"] == "SYSTEM_ERROR"


def test_modules_of_the_runner_are_not_in_the_way_of_the_step(store):
    source = "import app, runner\ndef fn():\n    return [app.MINE, runner.MINE]\n"
    code(store, source, inputs={"app.py": b"MINE = 1", "runner.py": b"MINE = 2"})
    assert returned(store) == {"result": [1, 2]}

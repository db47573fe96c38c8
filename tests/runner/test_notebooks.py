"""Steps that are a notebook: real ones, executed by papermill with the packages of the notebooks layer."""

import contextlib
import json
import os
import pathlib
import re
import tempfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from local import emulator
from runner import notebooks, procfs, pythonpath
from support import notebook, runner

ENVIRONMENT = emulator.STATE / "notebooks"
BOOK = "books/a {b}.ipynb"


@pytest.fixture
def layers(tmp_path: pathlib.Path) -> str:
    """A place with the packages of the notebooks layer's lock, as an emulator would unpack the layer."""
    assert ENVIRONMENT.exists(), "the notebook environment is not installed; `make test` does that"
    (packages,) = ENVIRONMENT.glob("lib/python3*/site-packages")
    (tmp_path / notebooks.FOLDER).symlink_to(packages)
    return str(tmp_path)


@pytest.fixture
def store(layers: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[runner.Store]:
    """A store for steps of a function that has the layer."""
    monkeypatch.syspath_prepend(layers)
    with runner.Store() as store:
        yield store


def execute(store: runner.Store, content: bytes, *, inputs: Any = None, **members: Any) -> dict[str, Any]:
    """Run a notebook step; `names` maps its parameters to variables, other members are those of the manifest."""
    given = {"output": "output", "params": "params", "names": "variables"}
    notebook = {member: members.pop(name) for name, member in given.items() if name in members}
    return store.run(
        kind="notebook",
        notebook={"notebook": BOOK, **notebook},
        inputs={BOOK: content, **(inputs or {})},
        **members,
    )


def delivered(store: runner.Store, path: str = "books/a {b}.out.ipynb") -> str:
    """The text of the executed notebook; its outputs are in it."""
    document = json.loads(store.outputs()[path])
    assert document["nbformat"] == 4
    return json.dumps(document["cells"])


def test_a_notebook_gets_values_of_their_types_and_is_delivered_with_its_outputs(store):
    values = {
        "n": 3,
        "key": "it's \"a\\n\" {n}\n'''; raise SystemExit(1) #",
        "flag": True,
        "nothing": None,
        "list": [1, {"a": None}],
        "record": {"a'b": 1.5},
        "unused": 1,
    }
    result = execute(
        store,
        notebook.of(
            "n, k, other = 1, '', 'default'",
            "import json\nseen = [n, k, flag, nothing, list, record, other, 'unused' in globals()]",
            "json.dump(seen, open('seen.json', 'w'))\nprint('said by the notebook')",
        ),
        output="results/{n}.ipynb",
        params=["n", "k", "flag", "nothing", "list", "record", "absent"],
        names={"k": "key"},
        values=values,
        always=["results/{n}.ipynb"],
    )
    assert result["reason"] is None, result
    assert result["messages"] == ["said by the notebook\n"]
    assert json.loads(store.outputs()["seen.json"]) == [
        *(values[name] for name in ("n", "key", "flag", "nothing", "list", "record")),
        *("default", False),
    ]
    assert "said by the notebook" in delivered(store, "results/{n}.ipynb")
    assert set(store.outputs()) == {"seen.json", "results/{n}.ipynb"}, "no files of Jupyter's own"


def test_results_of_earlier_functions_win_over_variables(store):
    result = execute(
        store,
        notebook.of("n = 0", "open('seen', 'w').write(repr(n))"),
        params=["n"],
        values={"n": 5},
        earlier=store.earlier(n=[1, 2]),
    )
    assert result["reason"] is None, result
    assert store.outputs()["seen"] == b"[1, 2]"


@pytest.mark.parametrize("name", ["n", "planted", "PYTHONPATH", "JUPYTER_PATH"])
def test_a_notebook_gives_no_step_a_variable_by_a_file_and_is_given_none(store, name):
    """The first is a stranger's; the second is the organiser's, with a variable and the result of a function."""
    planted = json.dumps({name: "taken over", "m": "taken over"})
    places = ".flowserverless/context.json context.json {home}/.function-result.json {home}/order.json"
    plant = (
        "import os, pathlib\nfor place in "
        f"{places!r}.format(home=os.environ['HOME']).split():\n"
        "    os.makedirs(os.path.dirname(place) or '.', exist_ok=True)\n"
        f"    pathlib.Path(place).write_text({planted!r})"
    )
    assert execute(store, notebook.of("", plant))["reason"] is None
    assert not [key for key in store.objects if "flowserverless" in key or "returned" in key]
    look = "import os\nopen('seen', 'w').write(repr((n, m, dict(os.environ))))"
    left = {path: content for path, content in store.outputs().items() if path != BOOK}
    result = execute(
        store,
        notebook.of("n = m = 0", look),
        params=["n", "m"],
        values={"n": "organiser's"},
        earlier=store.earlier(m="function's"),
        inputs=left,
    )
    assert result["reason"] is None, result
    assert store.outputs()["seen"].startswith(b'("organiser\'s", "function\'s", {')
    assert b"taken over" not in store.outputs()["seen"]


@pytest.mark.parametrize("name", ["PYTHONPATH", "JUPYTER_PATH", "IPYTHONDIR", "LD_PRELOAD", "a b"])
def test_a_reserved_name_is_refused_by_a_notebook_step(store, name):
    result = execute(store, notebook.of("", "open('seen', 'w')"), earlier=store.earlier(**{name: "x"}))
    assert result["reason"], result
    assert store.outputs() == {}


def test_a_failing_cell_fails_the_step_with_its_error_and_delivers_what_was_executed(store):
    result = execute(
        store, notebook.of("n = 0", "print('before')", "def f():\n    return 1 / n\nf()", "print('never')")
    )
    assert (result["exitCode"], result["reason"]["code"]) == (1, "STEP_FAILED")
    said = result["messages"][-1]
    assert said.startswith(f"cell 3 of {BOOK} failed:\n")
    assert said.endswith("ZeroDivisionError: division by zero\n")
    assert "----> 2     return 1 / n" in said
    assert "\x1b" not in said
    assert said in store.log
    cells = delivered(store)
    assert "before" in cells
    assert "ZeroDivisionError" in cells


def test_a_kernel_that_dies_fails_the_step(store):
    result = execute(store, notebook.of("", "import os; os._exit(0)"))
    assert result["reason"]["code"] == "STEP_FAILED"
    assert "could not be executed: DeadKernelError" in result["messages"][0]


def test_a_kernel_and_what_it_started_end_with_the_step(store):
    marker = f"marker-{uuid.uuid4().hex}"
    start = (
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', '{marker}'], start_new_session=True)"
    )
    begin = "import os, subprocess, sys\n" + start + "\nopen('begun', 'w').write(str(os.getpid()))\nwhile True: pass"
    before = {process.pid for process in procfs.descendants(os.getpid())}
    result = execute(store, notebook.of("", begin), limits={"seconds": 15})
    assert result["reason"]["code"] == "TIMEOUT"
    assert int(store.outputs()["begun"]) > 0, "the kernel was at work"
    assert not [line for line in pathlib.Path("/proc").glob("[0-9]*/cmdline") if marker in text_of(line)]
    assert procfs.descendants(os.getpid(), before) == []


def text_of(path: pathlib.Path) -> str:
    """The text of a file in /proc, empty if its process has ended."""
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (notebook.of("", kernelspec={"name": "ir", "display_name": "R", "language": "R"}), "it is in R"),
        (b"[1", "JSONDecodeError"),
        (b'{"cells": 1}', "could not be executed"),
    ],
    ids=["another language", "no JSON", "no notebook"],
)
def test_what_cannot_be_executed_is_named(store, content, said):
    result = execute(store, content)
    assert result["reason"]["code"] == "STEP_FAILED"
    assert f"{BOOK} could not be executed: " in result["messages"][0]
    assert said in result["messages"][0]


def test_neither_names_of_kernels_nor_of_files_nor_variables_are_in_the_way(store):
    """Organisers name kernels after environments; `code` and `yaml` are modules that papermill and IPython need."""
    result = execute(
        store,
        notebook.of(
            "", "import own\nopen('seen', 'w').write(own.MINE)", kernelspec={"name": "my-env", "language": "python"}
        ),
        inputs={
            **dict.fromkeys(("code/__init__.py", "yaml.py", "ipykernel_launcher.py"), b"raise LookupError"),
            "own.py": b"MINE = 'imported'",
        },
        variables=dict.fromkeys(("JUPYTER_DATA_DIR", "JUPYTER_PATH", "IPYTHONDIR", "PYTHONPATH"), "/nowhere"),
    )
    assert result["reason"] is None, result
    assert store.outputs()["seen"] == b"imported"


def test_only_notebook_steps_see_the_packages_and_they_see_nothing_else(store):
    source = "import json, os\njson.dump(dict(os.environ), open('seen.json', 'w'))"
    assert execute(store, notebook.of("", source))["reason"] is None
    seen = json.loads(store.outputs()["seen.json"])
    assert not [name for name in seen if name.startswith(("AWS_", "LAMBDA_"))]
    assert seen["PYTHONPATH"].split(os.pathsep)[0].endswith(os.path.basename(notebooks.packages()))
    assert all(seen[name].startswith(f"{seen['HOME']}/") for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"))
    result = store.run("env > seen.txt", "${python} -c 'import papermill'")
    missing = "ModuleNotFoundError: No module named 'papermill'"
    assert result["reason"]["detail"] == f"step 's': command 2 of 2 exited with code 1: {missing}"
    assert b"JUPYTER" not in store.outputs()["seen.txt"]
    (imported,) = re.findall("PYTHONPATH=(.*)", store.outputs()["seen.txt"].decode())
    assert os.path.basename(imported) == os.path.basename(pythonpath.FLOWSERV)


def test_a_notebook_is_executed_as_in_lambda_where_steps_are_the_functions_user(store, layers):
    # A long path: those of sockets have at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="a-long-name-" * 8) as tmp:
        os.chmod(tmp, 0o777)
        result = store.run_as_in_lambda(
            tmp=tmp,
            layers=runner.readable(layers),
            kind="notebook",
            notebook={"notebook": "book.ipynb", "output": "out.ipynb"},
            inputs={"book.ipynb": notebook.of("print('done')")},
            limits={"processes": 40},
        )
    assert (result["reason"], result["messages"]) == (None, ["done\n"])
    assert "done" in delivered(store, "out.ipynb")


def test_what_the_kernel_says_of_itself_is_not_in_the_log_of_the_step(store):
    result = execute(store, notebook.of("get_ipython().kernel.log.error('interrupted')\nprint('done')"))
    assert (result["reason"], result["messages"]) == (None, ["done\n"])


def test_where_there_is_no_papermill_the_step_says_so():
    with runner.Store() as store:
        result = execute(store, notebook.of(""))
    assert result["reason"]["code"] == "STEP_FAILED"
    assert "papermill, which is not installed" in result["messages"][0]

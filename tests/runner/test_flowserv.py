"""Programs that were written for flowServ import of it what they are used to, in every kind of step.

The same program is executed as a step and by a Python that has flowServ itself, and finds the same.
"""

import ast
import json
import os
import shlex
import subprocess
import sys

import pytest

from local import emulator
from runner import notebooks
from support import notebook, runner

PEER = emulator.STATE / "peer" / "bin" / "python"
FOLDER = runner.FOLDER / "runner" / "shims"
FILES = {
    "runs/runs.json": json.dumps(
        [
            {"id": "r2", "name": "Team B", "files": ["results/score.json", "é.txt"]},
            {"id": "r1", "name": "Team Ä", "files": ["results/score.json", "é.txt"]},
        ]
    ).encode(),
    "runs/r1/results/score.json": b'{"points": 1}',
    "runs/r2/results/score.json": b'{"points": 2}',
    "runs/r1/é.txt": b"one",
    "runs/r2/é.txt": b"two",
}
POST_PROCESS = """
import json, sys
from flowserv.service.postproc.base import LABEL_FILES, LABEL_ID, LABEL_NAME, RUNS_DIR, RUNS_FILE
from flowserv.service.postproc.client import Run, Runs

runs = Runs(sys.argv[1])
found = {
    "length": len(runs),
    "order": [[run.run_id, run.name, run.files] for run in runs],
    "points": [json.load(open(run.get_file(name="results/score.json"))) for run in runs],
    "other": runs.get_run("r1").get_file("é.txt"),
    "absent": [runs.get_run("r9"), runs.at_rank(0).get_file("never.txt")],
    "last": runs.at_rank(-1).run_id,
    "kind": isinstance(runs.at_rank(1), Run),
    "constants": [LABEL_FILES, LABEL_ID, LABEL_NAME, RUNS_DIR, RUNS_FILE],
}
try:
    runs.at_rank(2)
except IndexError:
    found["behind"] = "IndexError"
print(json.dumps(found, sort_keys=True))
"""
USE = """
import io, json, os
import flowserv.util as util
from flowserv.util import read_object, validate_doc, write_object
from flowserv.util.core import jquery
from flowserv.util.datetime import to_datetime
from flowserv.util.files import FORMAT_JSON
from flowserv.util.serialize import to_dict, to_kvp

def refused(call, *arguments, **named):
    try:
        return call(*arguments, **named)
    except (ValueError, TypeError) as error:
        return str(error).partition(" in:")[0]

doc = {"a": {"b": [1], "c": None}}
write_object(filename="x.json", obj=doc)
os.makedirs("made/a/b")
before = sorted(os.listdir("made/a"))
util.cleardir("made")
util.cleardir("nowhere")
found = {
    "read": read_object("x.json"),
    "buffers": [read_object(io.BytesIO(b"[1]")), read_object(util.read_buffer("x.json"), format=FORMAT_JSON)],
    "plain": refused(read_object, "x.json", format="XML"),
    "jquery": [jquery(doc, path.split()) for path in ("a b", "a c d", "z", "z z", "", "a", "a b c")],
    "valid": validate_doc({"n": 1}, mandatory=["n"], optional=["o"]),
    "missing": refused(validate_doc, {}, mandatory=["n"]),
    "unknown": refused(validate_doc, {"x": 1}, mandatory=[], optional=["o"]),
    "other": refused(validate_doc, {"x": 1}, exception=TypeError),
    "paths": [util.join("a", 1, "b"), util.dirname("a/b/c"), util.dirname("a"), util.dirname(""), util.filepath("a/b")],
    "pairs": [to_kvp("k", "v"), to_dict([{"key": "k", "value": 1}])],
    "times": [to_datetime(text).isoformat() for text in
              ("2026-11-27T10:00:00", "2026-11-27T10:00:00.123456", "2026-11-27T10:00:00+00:00")],
    "now": to_datetime(util.utc_now()).tzinfo is not None,
    "id": [len(util.get_unique_identifier()), util.get_unique_identifier().isalnum()],
    "object": util.import_obj("os.path.join")("a", "b"),
    "trace": util.stacktrace(ValueError("why"))[-1],
    "made": [before, os.listdir("made")],
}
print(json.dumps(found, sort_keys=True))
"""


@pytest.mark.parametrize(("program", "argument"), [(POST_PROCESS, "runs/"), (USE, "")], ids=["client", "util"])
def test_a_program_finds_what_it_finds_in_flowserv(store, tmp_path, program, argument):
    assert PEER.exists(), "flowServ itself is not installed; `make test` does that"
    inputs = {**FILES, "draw.py": program.encode()}
    for path, content in inputs.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    peer = subprocess.run([PEER, "draw.py", argument], cwd=tmp_path, capture_output=True, text=True, check=True)
    result = store.run(f"$python draw.py {argument} > found", inputs=inputs)
    assert result["reason"] is None, result
    assert json.loads(store.outputs()["found"]) == json.loads(peer.stdout)


def test_a_function_imports_it(store):
    code = b"from flowserv.service.postproc.client import Runs\ndef names(runs):\n    return len(Runs(runs))\n"
    result = store.run(
        kind="code",
        code={"func": "draw.names", "arg": "names"},
        values={"runs": "runs"},
        inputs={**FILES, "draw.py": code},
    )
    assert result["reason"] is None, result


def test_a_notebook_imports_it(store, tmp_path, monkeypatch):
    environment = emulator.STATE / "notebooks"
    assert environment.exists(), "the notebook environment is not installed; `make test` does that"
    (packages,) = environment.glob("lib/python3*/site-packages")
    (tmp_path / notebooks.FOLDER).symlink_to(packages)
    monkeypatch.syspath_prepend(str(tmp_path))
    cell = "from flowserv.service.postproc.client import Runs\nprint(len(Runs('runs')))"
    book = notebook.of("", cell)
    result = store.run(kind="notebook", notebook={"notebook": "b.ipynb"}, inputs={**FILES, "b.ipynb": book})
    assert (result["reason"], result["messages"]) == (None, ["2\n"])


def test_what_a_package_brings_along_itself_comes_first(store):
    """As with any package that is installed: what lies beside a program wins. Uploads of groups do not land there."""
    own = {"flowserv/__init__.py": b"own = 'of the package'", "draw.py": b"import flowserv; print(flowserv.own)"}
    assert store.run("$python draw.py > found", inputs=own)["reason"] is None
    assert store.outputs()["found"] == b"of the package\n"


def test_a_folder_of_another_program_does_not_hide_it(store):
    planted = {"flowserv/__init__.py": b"raise SystemExit(3)", "code/draw.py": b"import flowserv.util; print('ours')"}
    assert store.run("$python code/draw.py > found", inputs=planted)["reason"] is None
    assert store.outputs()["found"] == b"ours\n"


@pytest.mark.parametrize("way", ["run", "run_as_in_lambda"])
def test_a_step_does_not_change_it_for_the_next(store, way):
    spoil = "import flowserv, os; open(flowserv.__file__, 'w').write('raise SystemExit(3)')"
    getattr(store, way)(f"$python -c {shlex.quote(spoil)}; true")
    assert getattr(store, way)("$python -c 'import flowserv.util'")["reason"] is None
    assert "raise SystemExit" not in (FOLDER / "flowserv" / "__init__.py").read_text()


def test_yaml_without_its_package_is_an_error_that_says_so(store):
    result = store.run(
        "$python -S -c 'import flowserv.util as u; u.read_object(\"a.yaml\")'", inputs={"a.yaml": b"a: 1"}
    )
    assert "YAML needs the package PyYAML" in result["messages"][-1]


def test_it_needs_nothing_but_the_standard_library_of_older_pythons_too():
    files = sorted(FOLDER.rglob("*.py"))
    assert len(files) > 5
    for file in files:
        tree = ast.parse(file.read_text(), feature_version=(3, 7))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.partition(".")[0] in {*sys.stdlib_module_names, "flowserv", "yaml"}, f"{file}: {name}"
    assert os.listdir(FOLDER) == ["flowserv"]

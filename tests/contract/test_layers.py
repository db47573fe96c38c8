"""The layers hold what the functions import, and everything that those packages import in turn."""

import ast
import importlib.metadata
import importlib.util
import io
import marshal
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import pytest
from packaging import requirements, utils

from flowserverless.operations import batch_jobs
from local import emulator, template
from runner import notebooks, pythonpath

LAYERS = emulator.PROJECT / "layers"
DEPENDENCIES = LAYERS / "dependencies"
TOKENS = LAYERS / "tokens"
NOTEBOOKS = LAYERS / "notebooks"
RUN_STEP = emulator.PROJECT / "functions" / "run_step"
BROUGHT_BY_LAMBDA = {"boto3", "botocore"}
TYPES_ONLY = {"mypy_boto3_s3"}


def pins(path: pathlib.Path) -> dict[str, str]:
    """The versions in a list of requirements, by project."""
    pairs = re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text("utf-8"), re.MULTILINE)
    return {utils.canonicalize_name(project): version for project, version in pairs}


def needed(project: str) -> set[str]:
    """What a package needs on this interpreter if it is asked for no extras."""
    wanted = [requirements.Requirement(text) for text in importlib.metadata.requires(project) or []]
    return {
        utils.canonicalize_name(requirement.name)
        for requirement in wanted
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }


def imported(folder: pathlib.Path) -> Iterator[str]:
    """The names of the modules that the sources below a folder import from elsewhere."""
    # What is there for steps is imported by them, and by no function.
    sources = [path for path in folder.rglob("*.py") if not path.is_relative_to(pythonpath.FLOWSERV)]
    own = {path.stem for path in sources} | {"flowserverless", "runner"}
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Import():
                    modules = [alias.name for alias in node.names]
                case ast.ImportFrom(module=str(module), level=0):
                    modules = [module]
                case _:
                    modules = []
            tops = {module.split(".")[0] for module in modules}
            yield from tops - own - sys.stdlib_module_names - TYPES_ONLY


@pytest.mark.parametrize("layer", [DEPENDENCIES, TOKENS], ids=lambda layer: layer.name)
def test_a_layer_is_complete(layer):
    held = pins(layer / "requirements.txt").keys()
    wanted = set().union(*(needed(project) for project in held))
    assert wanted - held - pins(DEPENDENCIES / "requirements.txt").keys() <= BROUGHT_BY_LAMBDA


@pytest.mark.parametrize("layer", [DEPENDENCIES, TOKENS], ids=lambda layer: layer.name)
def test_what_is_tested_is_what_is_deployed(layer):
    held = pins(layer / "requirements.txt")
    assert pins(layer / "requirements.lock") == held
    assert held.items() <= pins(emulator.PROJECT / "requirements" / "dev.lock").items()


@pytest.mark.parametrize("folder", ["layers/flowserverless", "functions"])
def test_the_layers_hold_all_that_is_imported(folder):
    projects = importlib.metadata.packages_distributions()
    used = {project for module in imported(emulator.PROJECT / folder) for project in projects[module]}
    held = pins(DEPENDENCIES / "requirements.txt").keys() | pins(TOKENS / "requirements.txt").keys()
    assert {utils.canonicalize_name(project) for project in used} - held <= BROUGHT_BY_LAMBDA


def test_the_notebooks_layer_has_what_was_asked_for_and_is_built_where_steps_look(tmp_path):
    asked = pins(NOTEBOOKS / "requirements.txt").items()
    assert asked <= pins(NOTEBOOKS / "requirements.lock").items()
    assert {"papermill", "ipykernel"} <= dict(asked).keys()
    built(NOTEBOOKS, tmp_path)
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [notebooks.FOLDER]


# The folders that `make` builds, with the resources that they become, and where Lambda has those.
BUILT = {
    DEPENDENCIES: ("DependenciesLayer", "/opt"),
    TOKENS: ("TokensLayer", "/opt"),
    NOTEBOOKS: ("NotebooksLayer", "/opt"),
    LAYERS / "flowserverless": ("FlowserverlessLayer", "/opt"),
    RUN_STEP: ("RunStepFunction", "/var/task"),
}
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CHECKED_BY_NOBODY = (0b01).to_bytes(4, "little")
# Stands for python3: its pip installs one package at once, without an index.
PYTHON = f"""#!/bin/sh
case "$*" in
    "-m pip install "*)
        for target; do :; done
        mkdir -p "$target/package"
        echo 'NAMES = {{"a", "b"}}' > "$target/package/__init__.py" ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


def built(folder: pathlib.Path, into: pathlib.Path, python: str = THIS_PYTHON) -> subprocess.CompletedProcess[str]:
    """Build as SAM does, in a copy of the folder with what links lead to, for a version of Python."""
    shutil.copytree(folder, into / "copy")
    (into / "artifacts").mkdir()
    (into / "bin").mkdir()
    (into / "bin" / "python3").write_text(PYTHON)
    (into / "bin" / "python3").chmod(0o755)
    environment = {
        "PATH": os.pathsep.join([str(into / "bin"), os.environ.get("PATH", os.defpath)]),
        "ARTIFACTS_DIR": str(into / "artifacts"),
        "LAYER_PYTHON": python,
    }
    command = ["make", f"build-{BUILT[folder][0]}"]
    return subprocess.run(command, cwd=into / "copy", env=environment, check=True, capture_output=True, text=True)


def files(folder: pathlib.Path) -> dict[str, bytes]:
    """All files below a folder by their paths in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.long
@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_what_is_built_has_byte_code_of_every_module_that_does_not_depend_on_times(folder, tmp_path):
    said = built(folder, tmp_path).stdout
    assert "WARNING" not in said
    modules = list((tmp_path / "artifacts").rglob("*.py"))
    assert modules
    for module in modules:
        code = pathlib.Path(importlib.util.cache_from_source(str(module))).read_bytes()
        assert code[:4] == importlib.util.MAGIC_NUMBER
        assert code[4:8] == CHECKED_BY_NOBODY
        assert code[8:16] == importlib.util.source_hash(module.read_bytes())
        assert (
            marshal.loads(code[16:]).co_filename == f"{BUILT[folder][1]}/{module.relative_to(tmp_path / 'artifacts')}"
        )


@pytest.mark.long
@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_what_is_built_is_the_same_wherever_it_is_built(folder, tmp_path):
    places = [tmp_path / "here", tmp_path / "elsewhere"]
    for place in places:
        place.mkdir()
        built(folder, place)
    one, other = (files(place / "artifacts") for place in places)
    assert one == other


@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_a_build_for_another_python_than_those_at_hand_says_so_and_goes_on(folder, tmp_path):
    # `sam build` shows what make writes to stdout, and drops its stderr.
    said = built(folder, tmp_path, "2.99").stdout
    assert "WARNING" in said
    assert "Lambda reads it with Python 2.99, and here is Python 3." in said
    held = files(tmp_path / "artifacts")
    assert any(name.endswith(".py") for name in held)
    assert not any(name.endswith(".pyc") for name in held)


def test_layers_are_built_for_the_python_that_the_template_asks_for():
    show = ["make", "--makefile", "python.mk", "--eval", "show:; @echo $(LAYER_PYTHON)", "show"]
    shown = subprocess.run(
        show, cwd=LAYERS, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True
    )
    assert f"python{shown.stdout.strip()}" == template.defaults()["PythonRuntime"]


@pytest.mark.parametrize("folder", BUILT, ids=lambda folder: folder.name)
def test_the_template_has_it_built_by_make(folder):
    assert template.load()["Resources"][BUILT[folder][0]]["Metadata"] == {"BuildMethod": "makefile"}


@pytest.mark.long
def test_a_job_gets_what_runs_steps_without_its_byte_code(tmp_path):
    built(RUN_STEP, tmp_path)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in files(tmp_path / "artifacts").items():
            archive.writestr(name, body)
    with zipfile.ZipFile(io.BytesIO(batch_jobs.without_byte_code(content.getvalue()))) as archive:
        handed = {name: archive.read(name) for name in archive.namelist()}
    sources = {name: body for name, body in files(tmp_path / "artifacts").items() if name.endswith(".py")}
    assert handed == sources

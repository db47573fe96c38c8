"""The layers hold what the functions import, and everything that those packages import in turn."""

import ast
import importlib.metadata
import pathlib
import re
import sys
from collections.abc import Iterator

import pytest
from packaging import requirements, utils

from local import emulator
from runner import notebooks, pythonpath

LAYERS = emulator.PROJECT / "layers"
DEPENDENCIES = LAYERS / "dependencies"
TOKENS = LAYERS / "tokens"
NOTEBOOKS = LAYERS / "notebooks"
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


def test_the_notebooks_layer_has_what_was_asked_for_and_is_built_where_steps_look():
    asked = pins(NOTEBOOKS / "requirements.txt").items()
    assert asked <= pins(NOTEBOOKS / "requirements.lock").items()
    assert {"papermill", "ipykernel"} <= dict(asked).keys()
    assert f'--target "$(ARTIFACTS_DIR)/{notebooks.FOLDER}"' in (NOTEBOOKS / "Makefile").read_text("utf-8")

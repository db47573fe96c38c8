"""What the function is made of: the standard library, and two modules of the layer that it has no layer for."""

import ast
import os
import sys

import pytest

from flowserverless.domain import paths, variable_names
from support import runner

FILES = sorted([*runner.FOLDER.glob("*.py"), *(runner.FOLDER / "runner").glob("*.py")])


def test_it_imports_nothing_but_the_standard_library_and_itself():
    own = {"runner"}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                assert top in sys.stdlib_module_names or top in own, f"{file.name} imports {name}"


@pytest.mark.parametrize("module", [paths, variable_names])
def test_paths_and_names_mean_the_same_here_as_where_packages_are_read(module):
    with open(module.__file__, encoding="utf-8") as file:
        assert (runner.FOLDER / "runner" / os.path.basename(module.__file__)).read_text() == file.read()


def test_nothing_of_a_step_reaches_the_output_of_the_function():
    """Where functions are local processes, their standard output is the line to whoever invoked them."""
    with runner.Store() as store:
        result = store.run_as_in_lambda("echo noise; echo noise >&2; echo noise > /proc/$PPID/fd/1; exit 0")
    assert result["exitCode"] == 0
    assert result["messages"][0] == "noise\n"

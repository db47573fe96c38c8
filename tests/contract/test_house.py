"""The plan of the house: which package may import which, and where an operation happens."""

import ast
import pathlib

import pytest

from local import emulator

PACKAGE = emulator.PROJECT / "layers" / "flowserverless" / "flowserverless"
FUNCTIONS = emulator.PROJECT / "functions"
OPERATIONS = sorted(path.parent.name for path in FUNCTIONS.glob("*/app.py"))
# What a package imports of ours, beside itself; `domain` gets the moment and the limits as arguments.
EVERYWHERE = {"clock", "logs", "settings"}
ALLOWED = {
    "api": {"cold_start", "operations", "auth", "store", "domain"} | EVERYWHERE,
    "events": {"cold_start", "logs"},
    "auth": {"store", "aws", "domain"} | EVERYWHERE,
    "operations": {"store", "aws", "packages", "domain"} | EVERYWHERE,
    "packages": {"domain"} | EVERYWHERE,
    "store": {"aws", "domain"} | EVERYWHERE,
    "aws": {"domain"} | EVERYWHERE,
    "domain": set(),
    "clock": {"domain"},
    "cold_start": set(),
    "logs": set(),
    "settings": set(),
}


def room(module: str) -> str:
    """The package or module of ours, directly below `flowserverless`, that a dotted name is in."""
    return module.removeprefix("flowserverless").strip(".").partition(".")[0]


def imported(path: pathlib.Path) -> set[str]:
    """The rooms of ours that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {room(name) for name in names if name.partition(".")[0] == "flowserverless"}
    return found


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_what_its_package_may(path: pathlib.Path) -> None:
    own = room(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    assert imported(path) <= ALLOWED[own] | {own}

"""The plan of the house: which package may import which, and where an operation happens."""

import ast
import importlib
import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest

import flowserverless
from local import emulator
from support import handlers

PACKAGE = emulator.PROJECT / "layers" / "flowserverless" / "flowserverless"
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


# Operations that are not `operations/verb.py`, function `noun`, and where they happen instead.
READS = "in api/, because to read is to present"
CALLS = "one call of aws/cognito.py, which has nothing to add to"
ELSEWHERE = {
    "activate_user": CALLS,
    "authorize_request": "auth/authorizer.py: it changes nothing, it says who is calling",
    "await_results": "ingest.wait: results that came before the token are ingested then",
    "browse_api": READS,
    "describe_service": READS,
    "get_job_manifest": "stage.job: what a job is handed is staged when its containers ask for it",
    "logout_user": "one write of store/revocations.py",
    "post_process": "operations/post_process.py: a verb without a noun",
    "remove_files": "delete.files: it goes on with what delete_run and delete_group began",
    "request_activation": CALLS,
    "request_password_reset": CALLS,
    "run_step": "its own package `runner`, which has no permission and imports nothing of ours",
    "update_run": "finish.run: the name comes from flowServ",
    "whoami": READS,
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


def named(path: pathlib.Path) -> set[str]:
    """All that a file imports from modules of ours, by its dotted name."""
    found = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in found for alias in node.names}


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_what_its_package_may(path: pathlib.Path) -> None:
    own = room(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    assert imported(path) <= ALLOWED[own] | {own}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_store_knows_the_items_of_the_table(path: pathlib.Path) -> None:
    inside = path.parent.name == "store"
    assert inside or not any(name.startswith(("flowserverless.store.table", "pynamodb")) for name in named(path))


def breaks_the_law(operation: str, act: Callable[..., Any]) -> str:
    """Why a handler's function is not one that leads to `operations/verb.py`, function `noun`; "" for one that is."""
    verb, _, noun = operation.partition("_")
    try:
        module = importlib.import_module(f"flowserverless.operations.{verb}")
    except ModuleNotFoundError:
        return f"there is no operations/{verb}.py"
    if not callable(getattr(module, noun, None)):
        return f"operations/{verb}.py has no function {noun}"
    return "" if {verb, noun} <= set(act.__code__.co_names) else f"the handler does not call {verb}.{noun}"


LAWFUL = [name for name in handlers.OPERATIONS if name not in ELSEWHERE and not name.startswith(("get_", "list_"))]


@pytest.mark.parametrize("operation", LAWFUL)
def test_an_operation_happens_where_its_name_says(operation: str) -> None:
    assert breaks_the_law(operation, handlers.act(operation)) == ""


def test_an_exception_from_the_law_is_one() -> None:
    assert set(ELSEWHERE) <= set(handlers.OPERATIONS)
    lawful = [name for name in set(ELSEWHERE) - {"run_step"} if breaks_the_law(name, handlers.act(name)) == ""]
    assert lawful == []


def test_what_breaks_the_law_is_noticed() -> None:
    assert breaks_the_law("cancel_run", handlers.act("cancel_run")) == ""
    assert "does not call" in breaks_the_law("cancel_run", handlers.act("delete_run"))
    assert "no function" in breaks_the_law("cancel_group", handlers.act("cancel_run"))
    assert "no operations/rename.py" in breaks_the_law("rename_run", handlers.act("cancel_run"))


MADE_UP = {
    "from flowserverless import api": {"api"},
    "from flowserverless.api import views": {"api"},
    "import flowserverless.store.table": {"store"},
    "def late():\n    from flowserverless.aws import clients": {"aws"},
    "from collections import abc\nimport json": set(),
}


@pytest.mark.parametrize("source", MADE_UP)
def test_what_is_imported_is_noticed(source: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "made_up.py"
    path.write_text(source)
    assert imported(path) == MADE_UP[source]


# What clock.py and the like are to a package goes without saying in the drawings of the house.
DRAWN = {
    name: allowed - EVERYWHERE - {"cold_start"} | ({"logs"} if name == "events" else set())
    for name, allowed in ALLOWED.items()
    if name not in EVERYWHERE | {"cold_start"}
}


def imports(words: str) -> set[str]:
    return set(re.findall(r"\w+", words)) - {"nothing"}


def test_the_map_of_the_package_is_the_table() -> None:
    [drawing] = re.findall(r"^    package .*\n((?:    .*\n)+)", str(flowserverless.__doc__), re.MULTILINE)
    rows = [re.split(r"\s{2,}", line.strip()) for line in drawing.splitlines()]
    assert {re.sub(r"/|\.py", "", name): imports(listed) for name, _, listed in rows} == DRAWN


def test_the_page_on_architecture_has_the_same_table() -> None:
    page = (emulator.PROJECT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z]+)(?:/|\.py)` \| .* \| ([^|]*) \|$", page, re.MULTILINE)
    assert {name: imports(listed) for name, listed in rows} == DRAWN

"""Each of these facts has one home: what is due, and who comes back to it."""

import ast
import re
from collections.abc import Iterator

from flowserverless.operations import reconcile
from flowserverless.store import due
from local import emulator

CODE = [emulator.PROJECT / "layers" / "flowserverless" / "flowserverless", emulator.PROJECT / "functions"]
RELIABILITY = emulator.PROJECT / "docs" / "reliability.md"


def literals() -> Iterator[tuple[str, str]]:
    """The file and text of every string literal in the code that is deployed, but docstrings."""
    for path in (path for folder in CODE for path in folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                yield path.relative_to(emulator.PROJECT).as_posix().removeprefix("layers/flowserverless/"), node.value


def homes(*texts: str) -> set[str]:
    """The files in which any of these texts is a literal."""
    return {path for path, text in literals() if text in texts}


def test_kinds_of_due_work_are_named_in_one_module():
    others = [kind for kind in due.Kind if kind is not due.Kind.GROUP]
    assert homes(*others) == {"flowserverless/store/due.py"}
    # GROUP is also the sort key of a group.
    assert homes(due.Kind.GROUP) == {"flowserverless/store/due.py", "flowserverless/store/table.py"}


def test_the_reconciler_comes_back_to_every_kind():
    assert set(reconcile.WORK) == set(due.Kind)


def test_every_kind_is_explained():
    assert re.findall(r"^    ([A-Z]{2,}) ", str(due.Kind.__doc__), re.M) == list(due.Kind)
    assert sorted(re.findall(r"^\| `([A-Z]+)` \|", RELIABILITY.read_text("utf-8"), re.M)) == sorted(due.Kind)

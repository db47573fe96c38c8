"""What docs/reliability.md says is shown by tests is shown by tests that exist."""

import re

from local import emulator

PAGE = emulator.PROJECT / "docs" / "reliability.md"
TESTS = emulator.PROJECT / "tests"


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"\b(test_\w+)(?:\[\w+\])?`", PAGE.read_text("utf-8")))
    defined = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M)
    }
    assert len(named) > 25
    assert named <= defined, named - defined


def test_every_file_that_the_page_names_exists():
    named = re.findall(r"`((?:operations|invariants|stack|unit)/\w+\.py)`", PAGE.read_text("utf-8"))
    assert len(named) > 5
    assert [name for name in named if not (TESTS / name).is_file()] == []

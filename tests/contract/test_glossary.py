"""The glossary has one word for one thing: no word stands there twice, and none is also what another replaces."""

import re

from local import emulator

PAGE = emulator.PROJECT / "docs" / "glossary.md"
ROWS = re.findall(r"^\| (?!word |---)(.+?) \| (.+) \| (.+?) \|$", PAGE.read_text("utf-8"), re.MULTILINE)


def plain(text: str) -> str:
    """A word without what tells two of its meanings apart."""
    return re.sub(r" \(.*\)", "", text).lower()


def test_no_word_stands_there_twice():
    words = [word.lower() for word, _, _ in ROWS]
    assert len(words) == len(set(words)) > 60


def test_a_word_does_not_replace_itself():
    assert [word for word, _, replaced in ROWS if plain(word) in replaced.lower().split(", ")] == []


def test_documents_lead_to_it():
    for name in ("CONTRIBUTING.md", "docs/architecture.md", "README.md"):
        assert "glossary.md)" in (emulator.PROJECT / name).read_text("utf-8"), name

"""Every decision says when it was taken and whether it holds, and the index lists all of them as they say it."""

import re

import pytest

from local import emulator

FOLDER = emulator.PROJECT / "docs" / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"), key=lambda path: path.name)
TITLE = re.compile(r"# (\d+)\. (.+)\n\nDate: (\d{4}-\d\d-\d\d)(?: \(recorded \d{4}-\d\d-\d\d\))?\nStatus: (.+)\n\n")
STATUS = re.compile(r"proposed|accepted|rejected|superseded by \d+")


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_a_number_a_date_and_a_status(path):
    found = TITLE.match(path.read_text("utf-8"))
    assert found, "`# number. title`, `Date: ` and `Status: ` begin it"
    assert path.name.startswith(f"{int(found[1]):04}-")
    assert STATUS.fullmatch(found[4])


def test_no_number_is_given_twice():
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(numbers) == len(set(numbers)) > 13


def test_the_index_lists_every_decision_as_it_says_of_itself():
    listed = re.findall(
        r"^\| \[(\d+)\]\(([^)]+)\) \| (.+) \| (.+) \| (.+) \|$", (FOLDER / "README.md").read_text("utf-8"), re.M
    )
    told = [(path.name, *TITLE.match(path.read_text("utf-8")).groups()) for path in DECISIONS]
    assert listed == [(number, name, title, status, date) for name, number, title, date, status in told]


@pytest.mark.parametrize("path", [*DECISIONS, FOLDER / "README.md"], ids=lambda path: path.stem)
def test_a_link_of_a_decision_leads_to_a_file(path):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (FOLDER / link).is_file()] == []

"""Tables as CSV: they come back as they were, and no text in them is a formula."""

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowserverless.api import spreadsheets

FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\tx", "\rx", "\nx", "-inf", "=", "-"]
DISGUISES = [
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(1)",
    "\ufe631",
    "\u22121",
    " =1",
    "\u00a0=1",
    "\u3000\uff1d1",
    "\u200b=1",
    "\ufeff=1",
    "\u2028=1",
    "\x0b=1",
    "\x07=1",
    "\ufffe=1",
    "\U0010ffff=1",
    "\u0301=1",
    "\u2800\u0301=1",
    "=\u0338 1",
    '"=1',
]
SEPARATED = {
    ";=1": "';'=1",
    ",=1": "','=1",
    "|=1": "'|'=1",
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\n=1": "'\n'=1",
    'x;=HYPERLINK("h")': "'x;'=HYPERLINK(\"h\")",
    "y\t=1+1": "'y\t'=1+1",
    "a; \u200b+1;b;@x": "'a;' \u200b+1;b;'@x",
    'a;"=1"': "'a;'\"=1\"",
    "'a;=1": "'a;'=1",
    "=1;=1": "'=1;'=1",
}


def rows_of(text):
    """What a reader of RFC 4180 finds."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("text", [*FORMULAS, *DISGUISES])
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text):
    assert rows_of(spreadsheets.csv([[text, 1, text]])) == [[f"'{text}", "1", f"'{text}"]]


@pytest.mark.parametrize(("text", "shown"), SEPARATED.items())
def test_a_formula_behind_what_may_separate_cells_gets_an_apostrophe_too(text, shown):
    assert rows_of(spreadsheets.csv([[text, 1, text]])) == [[shown, "1", shown]]


@pytest.mark.parametrize("text", ["a=1", "a;b=1", "a, b", "x", "", "Team @ home", "1-2", "ü", "'=1", "[=1]"])
def test_any_other_text_stays_as_it_is(text):
    assert rows_of(spreadsheets.csv([[text, "."]])) == [[text, "."]]


def test_numbers_stay_numbers():
    row = [-1, 0, -1.5, float("-inf"), float("inf"), 1e300, None]
    assert spreadsheets.csv([row]) == "-1,0,-1.5,-inf,inf,1e+300,\r\n"


def test_a_text_is_one_cell_whatever_a_program_separates_at():
    assert spreadsheets.csv([["a;1", "a,1", "a\t1", 'a"b', "a\nb"]]) == ('"a;1","a,1","a\t1","a""b","a\nb"\r\n')


CELLS = some.text(some.characters(exclude_categories=["Cs"]), max_size=8)


@given(some.lists(some.lists(CELLS, min_size=2, max_size=3), max_size=4))
def test_a_table_comes_back_and_has_no_formula(rows):
    found = rows_of(spreadsheets.csv(rows))
    assert found == [[spreadsheets.harmless(cell) for cell in row] for row in rows]
    for cell in (cell for row in found for cell in row):
        for part in re.split(r"[;,|\t\r\n]", cell):
            assert unicodedata.normalize("NFKC", part).strip()[:1] not in {"=", "+", "-", "@"}
        assert cell[:1] not in {"\t", "\r", "\n"}

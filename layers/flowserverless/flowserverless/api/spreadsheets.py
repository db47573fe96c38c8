"""Writes tables as CSV (RFC 4180) in which a spreadsheet program takes no text for a formula."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from flowserverless.domain import names

Cell = int | float | str | None
FORMULA = ("=", "+", "-", "@", "\N{MINUS SIGN}")
BREAKS = ("\t", "\r", "\n")
# Who splits a line where its writer did not also finds a quotation mark in the middle of a cell, where it is a letter.
SEPARATORS = re.compile(r"([;,|\t\r\n])")
# Commas separate; where a comma is in numbers, spreadsheets separate at semicolons, and at tabs everywhere.
QUOTED = frozenset(',;"\t\r\n')


def csv(rows: Iterable[Sequence[Cell]]) -> str:
    """Rows of cells as CSV; numbers stay numbers, a text that would be taken for a formula gets an apostrophe first."""
    return "".join(",".join(map(_cell, row)) + "\r\n" for row in rows)


def _cell(value: Cell) -> str:
    text = "" if value is None else harmless(value) if isinstance(value, str) else str(value)
    return '"' + text.replace('"', '""') + '"' if QUOTED & set(text) else text


def harmless(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would take it, or a part of it, for a formula.

    Programs look through full-width signs, and past blanks and what nobody sees. Behind what may separate cells,
    a formula gets an apostrophe of its own, because to some programs a cell begins there.
    """
    marked = "".join(f"'{part}" if _is_formula(part) else part for part in SEPARATORS.split(text))
    if marked == text and not text.startswith(BREAKS):
        return text
    return marked if marked.startswith("'") else f"'{marked}"


def _is_formula(text: str) -> bool:
    # Composed with a mark behind it, a sign is another one to Unicode, but not to a spreadsheet.
    return any(_first(form).startswith(FORMULA) for form in (text, names.skeleton(text)))


def _first(text: str) -> str:
    """The first letter that counts: before it may be blanks, quotation marks, marks on nothing, what is no letter."""
    return next((letter for letter in text if letter != '"' and unicodedata.category(letter)[0] not in "CMZ"), "")

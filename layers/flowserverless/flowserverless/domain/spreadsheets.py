"""Tables as CSV (RFC 4180), written for the programs that open them: what somebody typed is never a formula there."""

from collections.abc import Iterable, Sequence

from flowserverless.domain import names

Cell = int | float | str | None

FORMULA = ("=", "+", "-", "@", "\N{MINUS SIGN}")
BREAKS = ("\t", "\r", "\n")
# Commas separate; where a comma is in numbers, spreadsheets separate at semicolons, and at tabs everywhere.
QUOTED = frozenset(',;"\t\r\n')


def csv(rows: Iterable[Sequence[Cell]]) -> str:
    """Rows of cells as CSV; numbers stay numbers, a text that would be taken for a formula gets an apostrophe first."""
    return "".join(",".join(map(_cell, row)) + "\r\n" for row in rows)


def _cell(value: Cell) -> str:
    text = "" if value is None else harmless(value) if isinstance(value, str) else str(value)
    return '"' + text.replace('"', '""') + '"' if QUOTED & set(text) else text


def harmless(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would take it for a formula.

    Programs look through full-width signs, and past blanks and what nobody sees.
    """
    formula = text.startswith(BREAKS) or names.skeleton(text).startswith(FORMULA)
    return f"'{text}" if formula else text

"""Showing people what goes on: lines that change in place on a terminal, and tables."""

import shutil
import time
from collections.abc import Sequence
from typing import TextIO


class Progress:
    """Lines of text that stay where they are and change.

    Where the output is no terminal, as in a log, a changed line is written again, with the seconds so far.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._start = time.monotonic()

    def show(self, lines: Sequence[str]) -> None:
        """Show these lines in place of the ones before."""
        if list(lines) == self._lines:
            return
        if self._stream.isatty():
            self._redraw(lines)
        else:
            self._append(lines)
        self._lines = list(lines)
        self._stream.flush()

    def _redraw(self, lines: Sequence[str]) -> None:
        width = shutil.get_terminal_size().columns - 1
        if self._lines:
            self._stream.write(f"\x1b[{len(self._lines)}A")
        for line in lines:
            self._stream.write(f"\x1b[2K{line[:width]}\n")

    def _append(self, lines: Sequence[str]) -> None:
        seconds = time.monotonic() - self._start
        for line in lines:
            if line not in self._lines:
                self._stream.write(f"{seconds:6.1f} s {line}\n")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under a header, in columns as wide as they need; numbers right, fractions with four digits."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(header, *cells, strict=True)]
    numeric = [any(isinstance(row[index], int | float) for row in rows) for index in range(len(header))]

    def line(texts: Sequence[str]) -> str:
        aligned = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(texts, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *(line(row) for row in cells)])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)

"""Draw the scores of all groups into one SVG picture and write them as a CSV table.

Reads what the service hands to post-processing: `runs.json`, the best run of every group in ranking order,
and `<run id>/results/scores.json` for each of them. Group names are strangers' text: the picture is built
as an XML tree, so that no name can become markup.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import re
import sys
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Sequence

SCORES = pathlib.PurePosixPath("results/scores.json")

WIDTH = 900
MARGIN = 24
NAME_LEFT = 64
NAME_COLUMNS = 28
PLOT_LEFT, PLOT_RIGHT = 290, 572
NUMBER_RIGHT = 650
CELLS_LEFT, CELL = 666, 21
TOP, ROW = 112, 24

INK, MUTED, GRID, STRIPE = "#1e293b", "#64748b", "#cbd5e1", "#f8fafc"
ACCURACY, MACRO_F1 = "#1d4ed8", "#ea580c"
EASY, HARD = (255, 255, 255), (251, 146, 60)
HARD_F1 = 0.5


@dataclasses.dataclass(frozen=True)
class Group:
    """One row of the picture. Scores are shares between 0 and 1; `digits` pairs each digit with its F1."""

    rank: int
    name: str
    run: str
    accuracy: float
    macro_f1: float
    correct: int
    images: int
    digits: tuple[tuple[str, float], ...]


def read_groups(directory: pathlib.Path) -> tuple[list[Group], int]:
    """The groups in ranking order, and how many runs had no readable scores. Equal scores share a rank."""
    groups: list[Group] = []
    left_out = 0
    for run in json.loads((directory / "runs.json").read_text(encoding="utf-8")):
        try:
            scores = json.loads((directory / run["id"] / SCORES).read_text(encoding="utf-8"))
            group = Group(
                rank=len(groups) + 1,
                name=run["name"],
                run=run["id"],
                accuracy=scores["accuracy"],
                macro_f1=scores["macroF1"],
                correct=scores["correct"],
                images=scores["images"],
                digits=tuple((digit["digit"], digit["f1"]) for digit in scores["digits"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"run {run['id']} is left out, it has no readable scores: {error!r}", file=sys.stderr)
            left_out += 1
            continue
        if groups and (groups[-1].accuracy, groups[-1].macro_f1) == (group.accuracy, group.macro_f1):
            group = dataclasses.replace(group, rank=groups[-1].rank)
        groups.append(group)
    return groups, left_out


def write_table(path: pathlib.Path, groups: Sequence[Group]) -> None:
    digits = [digit for digit, _ in groups[0].digits] if groups else []
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        columns = [f"f1_{digit}" for digit in digits]
        writer.writerow(["rank", "group", "run", "correct", "images", "accuracy", "macro_f1", *columns])
        for group in groups:
            counts = [group.rank, cell(printable(group.name)), group.run, group.correct, group.images]
            shares = [group.accuracy, group.macro_f1, *(f1 for _, f1 in group.digits)]
            writer.writerow([*counts, *(f"{share:.4f}" for share in shares)])


def cell(text: str) -> str:
    """The text, behind an apostrophe where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def printable(text: str) -> str:
    """The text without the characters that are not XML's, see https://www.w3.org/TR/xml/#charsets."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)


def shortened(text: str, columns: float) -> str:
    """As much of the text as fits into columns of a small letter, an estimate: SVG cannot measure text."""

    def width(character: str) -> float:
        if unicodedata.combining(character):
            return 0
        if unicodedata.east_asian_width(character) in "WF":
            return 2
        if character in "MW":
            return 1.8
        return 1.4 if character.isupper() or character in "mw" else 1

    room = columns
    for index, character in enumerate(text):
        room -= width(character)
        if room < 0:
            return text[: index - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
    return text


@dataclasses.dataclass(frozen=True)
class Axis:
    """A horizontal axis from `first` to 100, with a tick at every `step`, all in whole per cent."""

    first: int
    step: int

    @classmethod
    def showing(cls, shares: Sequence[float]) -> "Axis":
        lowest = min(shares) * 100
        step = next((step for step in (1, 2, 5, 10) if (100 - lowest) / step <= 6), 20)
        return cls(min(int(lowest // step) * step, 100 - step), step)

    def x(self, share: float) -> float:
        return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * (share * 100 - self.first) / (100 - self.first)


def shade(f1: float) -> str:
    part = min(1.0, (1 - f1) / (1 - HARD_F1))
    mixed = (round(easy + part * (hard - easy)) for easy, hard in zip(EASY, HARD, strict=True))
    return "#" + bytes(mixed).hex()


def add(parent: ET.Element, tag: str, content: str = "", **attributes: object) -> ET.Element:
    """A new child element; `text_anchor` is for the attribute text-anchor, numbers lose needless digits."""
    texts = {
        name.replace("_", "-"): f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        for name, value in attributes.items()
    }
    element = ET.SubElement(parent, tag, texts)
    element.text = content or None
    return element


def draw(groups: Sequence[Group], left_out: int) -> ET.Element:
    bottom = TOP + ROW * max(1, len(groups))
    height = bottom + 62 + (20 if left_out else 0)
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {height}"})
    svg.set("width", str(WIDTH))
    svg.set("height", str(height))
    svg.set("font-family", "system-ui, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif")
    svg.set("font-size", "13")
    svg.set("fill", INK)
    count = f"{len(groups)} group" + ("" if len(groups) == 1 else "s")
    add(svg, "title", f"Handwritten digits: the scores of {count}")
    names = add(add(svg, "defs"), "clipPath", id="names")
    add(names, "rect", x=NAME_LEFT, y=TOP, width=PLOT_LEFT - NAME_LEFT - 20, height=bottom - TOP)
    add(svg, "rect", width=WIDTH, height=height, fill="#ffffff")
    add(svg, "text", "Handwritten digits", x=MARGIN, y=40, font_size=20, font_weight=600)
    if groups:
        subtitle = f"{count}, the best run of each; {groups[0].images} test images"
        add(svg, "text", subtitle, x=MARGIN, y=61, fill=MUTED)
        draw_legend(svg)
        axis = Axis.showing([share for group in groups for share in (group.accuracy, group.macro_f1)])
        # In this order, so that the stripes lie under the grid and the grid under the marks.
        for top in range(TOP + ROW, bottom, 2 * ROW):
            add(svg, "rect", x=MARGIN, y=top, width=NUMBER_RIGHT - MARGIN + 6, height=ROW, fill=STRIPE)
        draw_axis(svg, axis, [digit for digit, _ in groups[0].digits], bottom)
        for index, group in enumerate(groups):
            draw_row(svg, group, axis, TOP + ROW * index)
    else:
        add(svg, "text", "No group has been scored yet.", x=MARGIN, y=61, fill=MUTED)
    if left_out:
        note = f"Left out: {left_out} run" + ("" if left_out == 1 else "s") + " without readable scores"
        add(svg, "text", note, x=MARGIN, y=height - 18, fill=MUTED, font_size=12)
    return svg


def draw_legend(svg: ET.Element) -> None:
    accuracy_mark(svg, CELLS_LEFT + 6, 57)
    add(svg, "text", "accuracy", x=CELLS_LEFT + 18, y=61, fill=MUTED)
    macro_f1_mark(svg, CELLS_LEFT + 112, 57)
    add(svg, "text", "macro F1", x=CELLS_LEFT + 122, y=61, fill=MUTED)


def draw_axis(svg: ET.Element, axis: Axis, digits: Sequence[str], bottom: int) -> None:
    small = {"fill": MUTED, "font_size": 11, "text_anchor": "middle"}
    for tick in range(axis.first, 101, axis.step):
        x = axis.x(tick / 100)
        add(svg, "line", x1=x, x2=x, y1=TOP - 4, y2=bottom + 4, stroke=GRID)
        for y in (TOP - 11, bottom + 19):
            add(svg, "text", f"{tick} %", x=x, y=y, **small)
    for index, digit in enumerate(digits):
        for y in (TOP - 11, bottom + 19):
            add(svg, "text", digit, x=CELLS_LEFT + CELL * (index + 0.5), y=y, **small)
    add(svg, "text", "accuracy", x=NUMBER_RIGHT, y=TOP - 11, **{**small, "text_anchor": "end"})
    middle_of_plot, middle_of_cells = (PLOT_LEFT + PLOT_RIGHT) / 2, CELLS_LEFT + CELL * len(digits) / 2
    add(svg, "text", "accuracy and macro F1", x=middle_of_plot, y=bottom + 40, **small)
    add(svg, "text", "F1 of each digit, in per cent", x=middle_of_cells, y=bottom + 40, **small)


def draw_row(svg: ET.Element, group: Group, axis: Axis, top: int) -> None:
    row = add(svg, "g")
    name = printable(group.name)
    add(row, "title", f"{group.rank}. {name}: accuracy {group.accuracy:.2%}, macro F1 {group.macro_f1:.2%}")
    middle, baseline = top + ROW / 2, top + ROW / 2 + 4.5
    add(row, "text", str(group.rank), x=NAME_LEFT - 12, y=baseline, fill=MUTED, text_anchor="end")
    add(row, "text", shortened(name, NAME_COLUMNS), x=NAME_LEFT, y=baseline, clip_path="url(#names)")
    macro_f1_mark(row, axis.x(group.macro_f1), middle)
    accuracy_mark(row, axis.x(group.accuracy), middle)
    number = f"{group.accuracy * 100:.1f} %"
    add(row, "text", number, x=NUMBER_RIGHT, y=baseline, text_anchor="end")
    for index, (_, f1) in enumerate(group.digits):
        left, per_cent = CELLS_LEFT + CELL * index, f"{f1 * 100:.0f}"
        box = {"x": left + 0.5, "y": top + 1, "width": CELL - 1, "height": ROW - 2, "rx": 2}
        add(row, "rect", **box, fill=shade(f1), stroke=STRIPE)
        add(row, "text", per_cent, x=left + CELL / 2, y=middle + 3.5, font_size=10, text_anchor="middle")


def accuracy_mark(parent: ET.Element, x: float, y: float) -> None:
    add(parent, "circle", cx=x, cy=y, r=4.5, fill=ACCURACY, stroke="#ffffff")


def macro_f1_mark(parent: ET.Element, x: float, y: float) -> None:
    # Taller than the accuracy's dot: the two scores are often the same, and both have to be seen.
    add(parent, "rect", x=x - 1.5, y=y - 9, width=3, height=18, rx=1.5, fill=MACRO_F1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=pathlib.Path, required=True, help="directory with runs.json")
    parser.add_argument("--picture", type=pathlib.Path, required=True, help="SVG file to write")
    parser.add_argument("--table", type=pathlib.Path, required=True, help="CSV file to write")
    arguments = parser.parse_args()

    groups, left_out = read_groups(arguments.runs)
    for path in (arguments.picture, arguments.table):
        path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(draw(groups, left_out)).write(arguments.picture, encoding="utf-8", xml_declaration=True)
    write_table(arguments.table, groups)
    print(f"{len(groups)} groups compared, {left_out} left out")


if __name__ == "__main__":
    main()

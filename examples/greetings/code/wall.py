"""Paint what every group said first, and to how many people, on one SVG picture.

Reads what the service hands to post-processing: `runs.json`, the best run of every group in ranking order,
and `<run id>/results/summary.json` for each of them.
"""

import argparse
import html
import json
import pathlib
import re

WIDTH, MARGIN, TOP, CARD, GAP = 640, 24, 76, 64, 12
COLOURS = ["#1d4ed8", "#0f766e", "#b45309", "#7c3aed", "#be123c"]


def text_of(words: str, longest: int) -> str:
    """At most `longest` characters as XML text: escaped, without the characters that XML forbids."""
    short = words if len(words) <= longest else words[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"
    allowed = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", short)
    return html.escape(allowed)


def card(place: int, group: str, summary: dict[str, object]) -> str:
    y, colour = TOP + place * (CARD + GAP), COLOURS[place % len(COLOURS)]
    first = text_of(str(summary["first"]), 40)
    return f"""
  <rect x="{MARGIN}" y="{y}" width="{WIDTH - 2 * MARGIN}" height="{CARD}" rx="8" fill="#f1f5f9"/>
  <rect x="{MARGIN}" y="{y}" width="6" height="{CARD}" rx="3" fill="{colour}"/>
  <text x="{MARGIN + 22}" y="{y + 28}" font-size="18" fill="{colour}">{first}</text>
  <text x="{MARGIN + 22}" y="{y + 50}" font-size="13" fill="#64748b">{text_of(group, 50)}</text>
  <text x="{WIDTH - MARGIN - 16}" y="{y + 41}" font-size="24" text-anchor="end">{summary["people"]}</text>"""


def wall(cards: list[str]) -> str:
    height = TOP + len(cards) * (CARD + GAP) + MARGIN
    return f"""<?xml version="1.0" encoding="utf-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"
  font-family="system-ui, 'DejaVu Sans', Arial, sans-serif" fill="#1e293b">
  <title>Wall of greetings</title>
  <rect width="{WIDTH}" height="{height}" fill="#ffffff"/>
  <text x="{MARGIN}" y="44" font-size="22" font-weight="600">Wall of greetings</text>
  <text x="{WIDTH - MARGIN - 16}" y="44" font-size="13" fill="#64748b" text-anchor="end">people greeted</text>
{"".join(cards)}
</svg>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=pathlib.Path, required=True, help="directory with runs.json")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()

    cards = []
    for run in json.loads((arguments.runs / "runs.json").read_text(encoding="utf-8")):
        summary = arguments.runs / run["id"] / "results" / "summary.json"
        if not summary.is_file():
            print(f"run {run['id']} has no summary")
            continue
        cards.append(card(len(cards), run["name"], json.loads(summary.read_text(encoding="utf-8"))))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(wall(cards), encoding="utf-8")
    print(f"{len(cards)} groups on the wall")


if __name__ == "__main__":
    main()

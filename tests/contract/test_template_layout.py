"""template.yaml can be read: it is short, its contents are where its table of contents says, and its names recur."""

import json
import re
import statistics
from typing import Any

import pytest

from local import emulator, template

MAX_LINES = 1650
MAX_LINES_OF_A_FUNCTION = 15
TEXT = template.TEMPLATE.read_text("utf-8")
RESOURCES = template.load()["Resources"]
OPENAPI = json.loads((emulator.PROJECT / "docs" / "openapi.json").read_text("utf-8"))

# The tag of every operation, by method and path, in the order of the document.
TAGS = {
    (method.upper(), path): described["tags"][0]
    for path, item in OPENAPI["paths"].items()
    for method, described in item.items()
}
ROUTES = list(TAGS)


def contents() -> list[str]:
    """The sections that the table of contents names, in its order."""
    table = re.search(r"\A# Contents.*\n#\n((?:#   .*\n)+)#\n", TEXT)
    assert table is not None
    return re.findall(r"^#   (\S+(?: \S+)*)", table.group(1), re.MULTILINE)


def sections() -> list[str]:
    """The sections that are there, in their order: keys of the template, and in `Resources` what headings begin."""
    found = re.findall(r"^(?:(\w+):\n|  # --- (.+) ---$)", TEXT, re.MULTILINE)
    return [key or heading for key, heading in found if key not in ("Metadata", "Mappings", "Resources")]


def functions_of(section: str) -> list[str]:
    """The functions of a section, in their order."""
    text = TEXT.partition(f"\n  # --- {section} ---\n")[2].partition("\n  # --- ")[0]
    return re.findall(r"^  (\w+Function):$", text, re.MULTILINE)


def place(name: str) -> int | None:
    """Where the OpenAPI document has the first operation of a function; None if it has none."""
    events: Any = RESOURCES[name]["Properties"].get("Events", {}).values()
    calls = [event["Properties"] for event in events if event["Type"] == "Api"]
    found = [ROUTES.index(route) for call in calls if (route := (call["Method"], call["Path"])) in TAGS]
    return min(found, default=None)


def test_the_template_is_no_longer_than_people_read() -> None:
    assert len(TEXT.splitlines()) <= MAX_LINES


def test_a_function_takes_few_lines() -> None:
    # On the average, from its name to its last event, without comments: most policies and events are one line each.
    blocks = re.findall(r"^  \w+Function:\n(?:    .*\n)+", TEXT, re.MULTILINE)
    assert len(blocks) == len(template.resources("AWS::Serverless::Function"))
    lengths = [sum(not line.lstrip().startswith("#") for line in block.splitlines()) for block in blocks]
    assert statistics.mean(lengths) <= MAX_LINES_OF_A_FUNCTION


def test_the_sections_are_those_of_the_table_of_contents_in_its_order() -> None:
    assert sections() == contents()


def test_functions_are_in_the_order_of_the_tags_and_operations_of_the_api() -> None:
    tags = list(dict.fromkeys(TAGS.values()))
    assert [name for name in contents() if name.startswith("Functions: ")] == [
        *(f"Functions: {tag}" for tag in tags),
        "Functions: called by machines",
    ]
    for tag in tags:
        found = [place(name) for name in functions_of(f"Functions: {tag}")]
        assert None not in found
        assert {TAGS[ROUTES[here]] for here in found if here is not None} == {tag}
        assert found == sorted(found, key=lambda here: here or 0), tag


def test_functions_that_machines_call_are_in_the_order_of_their_names() -> None:
    found = functions_of("Functions: called by machines")
    assert found == sorted(name for name in template.resources("AWS::Serverless::Function") if place(name) is None)


@pytest.mark.parametrize("name", re.findall(r"&([A-Z]\w+) ", TEXT.partition("\nAWSTemplate")[2].replace("\n", " \n")))
def test_what_has_a_name_recurs(name: str) -> None:
    assert re.search(rf"\*{name}\b", TEXT.partition("\nAWSTemplate")[2])

"""Determines the variables of a step's commands: the workflow's, and what earlier functions returned."""

import json
from collections.abc import Mapping
from typing import Any

from runner import manifest, variable_names

# Linux passes no variable of more than 128 KiB to a program, and about 2 MiB of them together.
MAX_VARIABLE_BYTES = 120_000
MAX_VARIABLES_BYTES = 1_000_000


def of(order: manifest.StepOrder, earlier: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a step's commands; results of earlier functions win over those of the workflow.

    A result that does not fit into an environment leaves its variable unset; functions and notebooks get it still.
    """
    found = {name: text for name, text in order.variables.items() if name not in earlier} | _texts(earlier)
    return {name: text for name, text in found.items() if variable_names.problem(name) is None}


def _texts(earlier: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    room = MAX_VARIABLES_BYTES
    for name, value in earlier.items():
        text = _as_text(value)
        size = len(text.encode("utf-8", "replace"))
        if size <= min(MAX_VARIABLE_BYTES, room) and _is_plain(text):
            found[name] = text
            room -= size
    return found


def _as_text(value: Any) -> str:
    """Text as it is, True and False, numbers and everything else as JSON."""
    return value if isinstance(value, str) else str(value) if isinstance(value, bool) else json.dumps(value)


def _is_plain(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)

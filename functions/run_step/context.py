"""What steps hand to later steps: the variables of the workflow, and what earlier functions returned.

Results of functions are kept in a file of the run directory, which any step may have spoilt; nothing in it is
believed.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any

import manifests

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FILE_BYTES = 16 * 1024 * 1024
# Linux passes no variable of more than 128 KiB to a program, and about 2 MiB of them together.
VARIABLE_BYTES = 120_000
VARIABLES_BYTES = 1_000_000


def variables(manifest: manifests.Manifest, directory: str) -> dict[str, str]:
    """The variables of a step's commands; results of earlier functions win over those of the workflow."""
    return {**manifest.variables, **_results(os.path.join(directory, manifests.CONTEXT_FILE))}


def is_name(text: str) -> bool:
    """Whether a shell would take a text for the name of a variable."""
    return NAME.fullmatch(text) is not None


def _results(path: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    room = VARIABLES_BYTES
    for name, value in _read(path).items():
        text = _as_text(value)
        size = len(text.encode("utf-8", "replace"))
        # What does not fit into an environment still reaches functions, which read the file.
        if is_name(name) and size <= min(VARIABLE_BYTES, room) and _is_plain(text):
            found[name] = text
            room -= size
    return found


def _read(path: str) -> dict[str, Any]:
    try:
        if os.path.getsize(path) > FILE_BYTES:
            return {}
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _as_text(value: Any) -> str:
    """Text as it is, True and False, numbers and everything else as JSON."""
    return value if isinstance(value, str) else str(value) if isinstance(value, bool) else json.dumps(value)


def _is_plain(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)

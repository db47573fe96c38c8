"""Hands on what the function of a step returned, and fetches what earlier functions returned.

The function's program writes the value to a file in the step's home. That file is a stranger's, so what it may hold
is bounded and it is read only when nothing of the step is alive. The name under which the value is handed on is not in
it: the manifest has that. The store keeps an object `{name: value}` for each function at a key of its own.
"""

import json
import os
import stat
from typing import Any

from runner import manifest, transfer, variable_names

# In the home of a code step.
FILE = ".function-result.json"
MAX_VALUE_BYTES = 4 << 20
MAX_OBJECT_BYTES = 5 << 20
# Deeper values could not be read by a parser that is a few calls deep already.
MAX_LEVELS = 100


class Unusable(Exception):
    """A function returned nothing that could be handed on."""


def path(home: str) -> str:
    """Where the program of a code step puts what its function returned."""
    return os.path.join(home, FILE)


def take(home: str) -> Any:
    """The value that a function returned. Raises Unusable."""
    content = _content(home)
    if len(content) > MAX_VALUE_BYTES:
        advice = "write a file instead and hand on its name; this limit is the same in every installation"
        raise Unusable(f"has more than {MAX_VALUE_BYTES} bytes as JSON; {advice}")
    return _value(content)


def hand_on(order: manifest.StepOrder, value: Any) -> None:
    """Keep what the function of this step returned, under the name that the step declares."""
    if order.result and order.code:
        content = json.dumps({order.code["arg"]: value}).encode()
        transfer.post_bytes(order.result, order.result.key, content, "application/json")


def fetch(order: manifest.StepOrder) -> dict[str, Any]:
    """What earlier functions returned, by the names that their steps declare. Raises transfer.Refused."""
    found = {}
    for each in order.earlier:
        try:
            found[each.name] = _named(each.name, transfer.content(each.url, MAX_OBJECT_BYTES))
        except transfer.Refused as refusal:
            problem = f"the result {each.name!r} of an earlier step could not be fetched: {refusal}"
            raise transfer.Refused(problem, refusal.status) from None
        except Unusable as problem:
            raise transfer.Refused(f"the result {each.name!r} of an earlier step {problem}") from None
    return found


def _content(home: str) -> bytes:
    """At most one byte more than a value may have; links are not followed, pipes not waited for."""
    try:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            file = os.open(FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise Unusable("is no file")
        with open(file, "rb") as opened:
            return opened.read(MAX_VALUE_BYTES + 1)
    except OSError:
        raise Unusable("is missing: the program ended before the function returned") from None


def _named(name: str, content: bytes) -> Any:
    problem = variable_names.problem(name)
    if problem:
        raise Unusable(problem)
    value = _value(content)
    if not isinstance(value, dict) or value.keys() != {name}:
        raise Unusable("is not what was handed on")
    return value[name]


def _value(content: bytes) -> Any:
    """The JSON value in some bytes. NaN and Infinity pass: they are values of functions, though not of strict JSON."""
    try:
        value = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise Unusable("cannot be read as JSON") from None
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [child for each in level for child in _children(each)]
        if not level:
            return value
    raise Unusable(f"is nested more than {MAX_LEVELS} levels deep")


def _children(value: Any) -> list[Any]:
    return [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []

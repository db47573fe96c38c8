"""The modules of functions/*/app.py, each loaded once, and what they say of themselves."""

import functools
import importlib.util
import inspect
import types
from collections.abc import Callable
from typing import Any

from flowserverless import api
from local import emulator

FUNCTIONS = emulator.PROJECT / "functions"
OPERATIONS = sorted(path.parent.name for path in FUNCTIONS.glob("*/app.py"))


@functools.cache
def module(operation: str) -> types.ModuleType:
    """The module that has the operation's handler."""
    found = importlib.util.spec_from_file_location(f"asked_{operation}", FUNCTIONS / operation / "app.py")
    assert found
    assert found.loader
    loaded = importlib.util.module_from_spec(found)
    found.loader.exec_module(loaded)
    return loaded


def app(operation: str) -> api.App | None:
    """What an operation says of itself that people call."""
    return getattr(module(operation), "app", None)


def act(operation: str) -> Callable[..., Any]:
    """The function of the handler that is called with a request or an event."""
    found = app(operation)
    return found.routes[0].act if found else inspect.unwrap(module(operation).handler)

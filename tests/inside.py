"""A look behind the API of a stack: its functions, and the processes of this machine that execute steps."""

import contextlib
import pathlib
from collections.abc import Mapping

from local import stack


def function(of: stack.Stack, name: str) -> str:
    """The full name of a function that the template calls `<name>Function`."""
    pages = of.client("lambda").get_paginator("list_functions").paginate()
    known = [one["FunctionName"] for page in pages for one in page["Functions"]]
    (found,) = (full for full in known if full.startswith(f"{of.name}-{name}Function-"))
    return found


def tell(of: stack.Stack, name: str, more: Mapping[str, str]) -> None:
    """Give a function more environment variables, or other values."""
    client, full = of.client("lambda"), function(of, name)
    known = client.get_function_configuration(FunctionName=full)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=full, Environment={"Variables": {**known, **more}})


def processes(marker: str) -> list[int]:
    """Processes of this machine that have a marker on their command line."""
    return _having(marker.encode(), "cmdline")


def hosts(of: stack.Stack, name: str) -> list[int]:
    """Processes of this machine that are hosts of a function of this stack; another stack's may have the same name."""
    named = _having(f"AWS_LAMBDA_FUNCTION_NAME={function(of, name)}\0".encode(), "environ")
    return sorted(set(named) & set(_having(f"={of.endpoint_url}\0".encode(), "environ")))


def _having(text: bytes, file: str) -> list[int]:
    found = []
    for path in pathlib.Path("/proc").glob(f"[0-9]*/{file}"):
        with contextlib.suppress(OSError):
            if text in path.read_bytes():
                found.append(int(path.parent.name))
    return found

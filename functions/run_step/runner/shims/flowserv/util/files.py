"""Files and directories, and objects that are kept in them as JSON or YAML."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterable
from typing import Any

FORMAT_JSON = "JSON"
FORMAT_YAML = "YAML"


def cleardir(directory: str) -> None:
    """Remove everything in a directory, if there is one."""
    if not os.path.isdir(directory):
        return
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def create_directories(basedir: str, files: Iterable[str]) -> None:
    """Create the directories that files below a directory are to be written to."""
    for file in files:
        os.makedirs(os.path.join(basedir, os.path.dirname(file)), exist_ok=True)


def dirname(key: str) -> str | None:
    """The part of a path before its last slash."""
    return key.rpartition("/")[0] if key else None


def filepath(key: str, sep: str = os.sep) -> str:
    """A path with the separator of this system."""
    return key.replace("/", sep) if key else key


def join(*args: Any) -> str:
    """The values with slashes between them."""
    return "/".join(map(str, args))


def read_buffer(filename: str) -> io.BytesIO:
    """The content of a file, to be read from the beginning."""
    with open(filename, "rb") as file:
        return io.BytesIO(file.read())


def read_object(filename: str | io.BytesIO, format: str | None = None) -> Any:
    """The object in a file: JSON if its name ends so, else YAML. A buffer is JSON unless `format` says YAML."""
    if isinstance(filename, io.BytesIO):
        return _yaml().safe_load(filename) if format == FORMAT_YAML else json.load(filename)
    with open(filename, encoding="utf-8") as file:
        return json.load(file) if _format(filename, format) == FORMAT_JSON else _yaml().safe_load(file)


def write_object(filename: str, obj: Any, format: str | None = None) -> None:
    """Write an object into a file: as JSON if its name ends so, else as YAML."""
    content = json.dumps(obj) if _format(filename, format) == FORMAT_JSON else _yaml().safe_dump(obj)
    with open(filename, "w", encoding="utf-8") as file:
        file.write(content)


def _format(filename: str, wanted: str | None) -> str:
    if wanted is None:
        return FORMAT_JSON if os.fspath(filename).endswith(".json") else FORMAT_YAML
    if wanted.upper() not in (FORMAT_JSON, FORMAT_YAML):
        raise ValueError(f"unknown data format '{wanted}'")
    return wanted.upper()


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise ImportError(
            "YAML needs the package PyYAML, which is not installed here; JSON is read without it"
        ) from None
    return yaml

"""Identifiers, lookups in nested dictionaries, and checks of their members."""

from __future__ import annotations

import importlib
import traceback
import uuid
from collections.abc import Mapping, Sequence
from typing import Any


def get_unique_identifier() -> str:
    """32 hexadecimal digits that nobody had before."""
    return uuid.uuid4().hex


def import_obj(import_path: str) -> Any:
    """The function or class that a dotted path names."""
    module, _, name = import_path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def jquery(doc: Any, path: Sequence[str]) -> Any:
    """The value at a path of keys; None where there is none."""
    if not path:
        return None
    for key in path:
        if not isinstance(doc, dict):
            return None
        doc = doc.get(key)
    return doc


def stacktrace(ex: BaseException) -> list[str]:
    """The lines that Python prints for an error."""
    return [line.strip() for line in traceback.format_exception(type(ex), ex, ex.__traceback__)]


def validate_doc(
    doc: Mapping[str, Any],
    mandatory: Sequence[str] | None = None,
    optional: Sequence[str] | None = None,
    exception: type[Exception] = ValueError,
) -> Mapping[str, Any]:
    """The dictionary itself. Raises `exception` for a mandatory key that is missing or one that is in neither list."""
    for key in mandatory or ():
        if key not in doc:
            raise exception(f"missing element '{key}'")
    known = {*(mandatory or ()), *(optional or ())}
    for key in doc:
        if key not in known:
            raise exception(f"unknown element '{key}'")
    return doc

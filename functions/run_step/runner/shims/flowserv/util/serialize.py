"""Pairs of keys and values as flowServ writes them in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def to_dict(args: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of such pairs by their keys."""
    return {pair["key"]: pair["value"] for pair in args}


def to_kvp(key: str, value: Any) -> dict[str, Any]:
    """Such a pair."""
    return {"key": key, "value": value}

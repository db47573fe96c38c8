"""A CloudFormation template as plain data, with its short forms (`!Ref`, `!GetAtt`, ...) written out."""

from __future__ import annotations

import functools
import pathlib
from typing import Any

import yaml

TEMPLATE = pathlib.Path(__file__).resolve().parent.parent / "template.yaml"


class _Loader(yaml.SafeLoader):
    """SafeLoader that knows CloudFormation's tags."""


def _short_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    match node:
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = node.value.split(".", 1) if name == "GetAtt" else node.value
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _short_form)


@functools.cache
def load(path: pathlib.Path = TEMPLATE) -> dict[str, Any]:
    """The template in a file; the same object every time, so that nobody should change it."""
    document: dict[str, Any] = yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506  (a SafeLoader)
    return document


def defaults(path: pathlib.Path = TEMPLATE) -> dict[str, str]:
    """The default of each parameter that has one, as CloudFormation wants values: as text."""
    return {
        name: _text(declaration["Default"])
        for name, declaration in load(path).get("Parameters", {}).items()
        if "Default" in declaration
    }


def resources(kind: str, path: pathlib.Path = TEMPLATE) -> dict[str, Any]:
    """The properties of every resource of a type such as `AWS::DynamoDB::Table`, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in load(path)["Resources"].items()
        if resource["Type"] == kind
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

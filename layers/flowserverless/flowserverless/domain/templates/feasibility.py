"""Checks that some run can start with the declared parameters, because else nobody learns it before a run fails."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from flowserverless.domain import plans, validation
from flowserverless.domain.templates import arguments, executors, parameters, references, templates, values

# A run's item has its parameters, its arguments and more, and takes 400 KB; a version's item has the whole template.
MAX_DOCUMENT_BYTES = 150_000
# As long as the id of an upload.
FILE = {"type": "$file", "value": {"fileId": "0" * 26}}


def obstacles(template: templates.Template, declared: Sequence[parameters.Parameter]) -> Iterator[str]:
    """All that keeps every run of the template with these parameters from starting, whatever its arguments are."""
    needed = [one for one in declared if _is_needed(one)]
    files = sum(_files(one) for one in needed)
    if files > arguments.MAX_FILES:
        yield f"require {files} files, and a run takes at most {arguments.MAX_FILES}"
    for one in needed:
        yield from (f"'{each.name}' has no integer in its range {each.range}" for each in _impossible(one))
    least = len(_json([{"name": one.name, "value": _argument(one)} for one in needed]))
    if least > arguments.MAX_BYTES:
        yield f"need arguments of {least} bytes, and a run takes at most {arguments.MAX_BYTES}"
    variables = _variables(template.context, {one.name: one for one in needed})
    if variables > plans.MAX_ENVIRONMENT_BYTES:
        yield f"make variables of {variables} bytes, and a process takes at most {plans.MAX_ENVIRONMENT_BYTES}"
    yield from _unreadable(replace(template, parameters=tuple(declared)))


def _unreadable(template: templates.Template) -> Iterator[str]:
    """Every start reads the template in its normal form, which is longer than what was declared."""
    document = template.document
    size = len(_json(document))
    if size > MAX_DOCUMENT_BYTES:
        yield f"make a template of {size} bytes with all that was left out, more than {MAX_DOCUMENT_BYTES}"
        return
    try:
        templates.parse(document, executors.ANYTHING)
    except validation.Faults as error:
        yield f"cannot be read again with all that was left out: {str(error)[:500]}"


def _is_needed(one: parameters.Parameter) -> bool:
    return one.required and one.default is None


def _needed_fields(one: parameters.Parameter) -> Iterator[parameters.Parameter]:
    return (each for each in one.fields if _is_needed(each))


def _files(one: parameters.Parameter) -> int:
    """How many uploads an argument has at least: a list may be empty."""
    return int(one.dtype == "file") + sum(_files(each) for each in _needed_fields(one))


def _impossible(one: parameters.Parameter) -> Iterator[parameters.Parameter]:
    if one.dtype == "int" and one.range and not _has_integer(one.range):
        yield one
    for each in _needed_fields(one):
        yield from _impossible(each)


def _has_integer(interval: parameters.Range) -> bool:
    if interval.low is None or interval.high is None:
        return True
    first = math.ceil(interval.low)
    first += interval.low_open and first == interval.low
    return first in interval


def _argument(one: parameters.Parameter) -> object:
    """The shortest argument that a parameter takes, near enough."""
    match one.dtype:
        case "file":
            return FILE
        case "record":
            return [{"name": each.name, "value": _argument(each)} for each in _needed_fields(one)]
        case _:
            return _value(one)


def _value(one: parameters.Parameter) -> object:
    """The value of that argument, or one that is shorter still."""
    match one.dtype:
        case "select":
            return min((option.value for option in one.values), key=lambda value: len(values.text(value).encode()))
        case "list":
            return []
        case "record":
            return {each.name: _value(each) for each in _needed_fields(one)}
        case "string" | "file":
            return ""
        case _:
            return 0


def _variables(context: Mapping[str, object], needed: Mapping[str, parameters.Parameter]) -> int:
    """The bytes of a step's environment with the shortest arguments; a parameter that is not needed has no value."""
    return sum(
        len(name.encode()) + 2 + min(len(values.text(value).encode()) for value in possible)
        for name, declared in context.items()
        if (possible := _possible(declared, needed))
    )


def _possible(declared: object, needed: Mapping[str, parameters.Parameter]) -> list[object]:
    """What a variable may be at least; empty if it may be unset."""
    named = references.parse(declared) if isinstance(declared, str) else None
    if named is None:
        return [] if declared is None else [declared]
    if named.yes is None:
        return [_value(needed[named.name])] if named.name in needed else []
    return [] if named.no is None else [named.yes, named.no]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")

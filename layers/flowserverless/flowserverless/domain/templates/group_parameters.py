"""A group's own parameters: the workflow's, of which a group may allow less, and never more.

Whoever could let a parameter be another file, or a number out of its range, would be ranked by rules of their own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flowserverless.domain import errors, validation
from flowserverless.domain.templates import executors, parameters, templates, values


def narrow(template: Mapping[str, Any], own: object) -> tuple[parameters.Parameter, ...]:
    """The declarations that hold for a group which declares `own` for a workflow with this template.

    What `own` leaves open of a parameter (range, target) is as the workflow has it. A parameter that the workflow
    has not is seen by no step and does no harm, unless it brings a file. Raises InvalidRequest with everything that
    is wrong.
    """
    try:
        workflow = {one.name: one for one in parameters.parse(template.get("parameters", []))}
        declared = templates.parse({**template, "parameters": own}, executors.ANYTHING).parameters
        found = [*_left_out(workflow.values(), declared), *_actors(own)]
        narrowed = []
        for index, one in enumerate(declared):
            place = f"parameters[{index}]"
            theirs = workflow.get(one.name)
            one = _completed(one, theirs) if theirs and theirs.dtype == one.dtype else one
            found += [validation.Fault(place, text) for text in _widening(one, theirs)]
            narrowed.append(one)
        if found:
            raise validation.Faults(found)
    except validation.Faults as error:
        raise errors.InvalidRequest(str(error)[:2000], errors.INVALID_PARAMETERS) from None
    return tuple(narrowed)


def _left_out(
    workflow: Collection[parameters.Parameter], own: Sequence[parameters.Parameter]
) -> Iterator[validation.Fault]:
    declared = {one.name for one in own}
    for one in workflow:
        if one.required and one.default is None and one.name not in declared:
            yield validation.Fault("parameters", f"the workflow requires '{one.name}'")


def _actors(own: object) -> Iterator[validation.Fault]:
    """Actors, which a template may declare: their defaults are code, and the organiser's."""
    for index, one in enumerate(own if isinstance(own, list) else ()):
        if isinstance(one, Mapping) and one.get("dtype") == "actor":
            yield validation.Fault(f"parameters[{index}]", parameters.NO_ACTOR)


def _completed(own: parameters.Parameter, theirs: parameters.Parameter) -> parameters.Parameter:
    return replace(
        own,
        range=own.range or theirs.range,
        target=own.target or theirs.target,
        default=theirs.default if own.dtype == "file" and own.default is None else own.default,
    )


def _widening(own: parameters.Parameter, theirs: parameters.Parameter | None) -> Iterator[str]:
    """All by which a declaration allows more than the workflow's."""
    if theirs is None:
        if any(one.dtype == "file" for one in parameters.nested(own)):
            yield f"'{own.name}' is a file that the workflow does not know"
    elif own.dtype != theirs.dtype:
        yield f"'{own.name}' is {own.dtype}, in the workflow it is {theirs.dtype}"
    else:
        yield from _more_values(own, theirs)
        if (own.para, own.fields) != (theirs.para, theirs.fields):
            yield f"'{own.name}' has other elements than in the workflow"
        if theirs.required and not own.required and own.default is None:
            yield f"'{own.name}' is required by the workflow"
        # Not only where an upload goes: the default of a file is a path, and there may be the solution.
        if own.dtype == "file" and (own.target, own.default) != (theirs.target, theirs.default):
            yield f"'{own.name}' is at another place than in the workflow"


def _more_values(own: parameters.Parameter, theirs: parameters.Parameter) -> Iterator[str]:
    if theirs.range and own.range and not _is_within(own.range, theirs.range):
        yield f"'{own.name}' has the range {own.range}, which is not within the workflow's {theirs.range}"
    elif isinstance(own.default, int | float) and own.range and own.default not in own.range:
        yield f"'{own.name}' has the default {own.default}, which is not in {own.range}"
    known = [option.value for option in theirs.values]
    if any(not any(values.same(option.value, value) for value in known) for option in own.values):
        yield f"'{own.name}' has values that the workflow has not"


def _is_within(inner: parameters.Range, outer: parameters.Range) -> bool:
    # At the same bound, an open end is within a closed one.
    low = outer.low is None or (inner.low is not None and (inner.low, inner.low_open) >= (outer.low, outer.low_open))
    high = outer.high is None or (
        inner.high is not None and (-inner.high, inner.high_open) >= (-outer.high, outer.high_open)
    )
    return low and high

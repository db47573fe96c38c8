"""Creates a group: its name, members and own parameters."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flowserverless import clock, settings
from flowserverless.aws import cognito
from flowserverless.domain import errors, frozen, groups, plans, users, versions
from flowserverless.domain.templates import feasibility, group_parameters, parameters
from flowserverless.store import group_items, version_items


@frozen.dataclass
class Wanted:
    """What is decided about a new group; without an `identifier` it gets one, without `parameters` the workflow's."""

    name: str
    identifier: str | None
    members: Sequence[str]
    parameters: Sequence[Mapping[str, Any]] | None
    config: dict[str, Any] | None


@frozen.dataclass
class Created:
    """A new group, its members as {id: name}, and what its runs take."""

    group: groups.Group
    members: Mapping[str, str]
    parameters: Sequence[dict[str, Any]]


def group(owner: users.Caller, workflow: str, wanted: Wanted, now: datetime) -> Created:
    """A new group of `workflow`, whose owner is a member too. Raises NotFound, InvalidRequest, Conflict."""
    head, published = version_items.with_workflow(workflow)
    members = named_members(wanted.members) | {owner.user: owner.name}
    groups.require_room(members)
    identifier = wanted.identifier or clock.new_ulid()
    group = groups.Group(
        id=identifier,
        workflow=workflow,
        name=wanted.name,
        owner=owner.user,
        created_at=now,
        parameters=own_parameters(wanted, published),
        config=own_config(wanted, published),
    )
    group_items.create(group, members, head)
    return Created(group, members, group.declared(published.document))


def named_members(named: Sequence[str]) -> dict[str, str]:
    return cognito.find(named) if named else {}


def own_parameters(wanted: Wanted, published: versions.Version) -> list[dict[str, object]] | None:
    if wanted.parameters is None:
        return None
    own = group_parameters.narrow(published.document, wanted.parameters)
    found = list(feasibility.obstacles(published.template, own))
    if found:
        detail = f"no run of the group could ever start: its parameters {'; '.join(found)}"
        raise errors.InvalidRequest(detail[:2000], errors.INVALID_PARAMETERS)
    return [parameters.document(one) for one in own]


def own_config(wanted: Wanted, published: versions.Version) -> dict[str, Any] | None:
    if wanted.config is not None:
        plans.check_config(published.template, wanted.config, settings.current().executors)
    return wanted.config

"""Creates a group: its name, members and own parameters."""

from datetime import datetime
from typing import Any

from flowserverless import clock, settings
from flowserverless.api import handles, requests, views
from flowserverless.auth import authorize
from flowserverless.aws import cognito
from flowserverless.domain import errors, groups, plans, versions
from flowserverless.domain.templates import feasibility, group_parameters, parameters
from flowserverless.store import group_items, version_items


def group(who: authorize.Caller, workflow: str, body: requests.CreateGroup, now: datetime) -> handles.GroupHandle:
    """A new group of `workflow` with the caller as owner and member. Raises NotFound, InvalidRequest, Conflict."""
    head, published = version_items.with_workflow(workflow)
    members = named_members(body.members or []) | {who.user: who.name}
    groups.require_room(members)
    if body.identifier and body.id and body.identifier != body.id:
        raise errors.InvalidRequest("`identifier` and `id` are the same thing and differ; send one of them")
    identifier = body.identifier or body.id or clock.new_ulid()
    group = groups.Group(
        id=identifier,
        workflow=workflow,
        name=body.name,
        owner=who.user,
        created_at=now,
        parameters=own_parameters(body, published),
        config=own_config(body, published),
    )
    group_items.create(group, members, head)
    return views.group(group, members, group.declared(published.document), of_runs=[])


def named_members(named: list[str]) -> dict[str, str]:
    return cognito.find(named) if named else {}


def own_parameters(body: requests.CreateGroup, published: versions.Version) -> list[dict[str, object]] | None:
    if body.parameters is None:
        return None
    own = group_parameters.narrow(published.document, body.parameters)
    found = list(feasibility.obstacles(published.template, own))
    if found:
        detail = f"no run of the group could ever start: its parameters {'; '.join(found)}"
        raise errors.InvalidRequest(detail[:2000], "INVALID_PARAMETERS")
    return [parameters.document(one) for one in own]


def own_config(body: requests.CreateGroup, published: versions.Version) -> dict[str, Any] | None:
    if body.config is None:
        return None
    config = body.config.chosen()
    plans.check_config(published.template, config, settings.current().executors)
    return config

"""Creating and changing groups: who is in them, what they are called, which parameters they have of their own."""

from datetime import datetime
from typing import Any

from flowserverless import access, api, requests, settings, users, views
from flowserverless.domain import errors, feasibility, narrowing, parameters, plans, runs, steps, templates
from flowserverless.store import groups, table, workflows


def create(who: access.Caller, workflow: str, body: requests.CreateGroup, now: datetime) -> views.GroupHandle:
    """A new group of `workflow` with the caller as owner and member. Raises NotFound, InvalidRequest, Conflict."""
    head, published = workflows.with_template(workflow)
    members = _members(body.members or []) | {who.user: who.name}
    _count(members)
    identifier = body.identifier or body.id or api.new_ulid()
    group = table.GroupItem(
        *table.group(identifier),
        group=identifier,
        workflow=workflow,
        name=body.name,
        owner=who.user,
        created_at=runs.timestamp(now),
        parameters=_parameters(body, published),
        config=_config(body, published),
    )
    groups.create(group, members, head)
    found = [groups.member(group, user, name) for user, name in sorted(members.items())]
    return views.group(group, found, groups.parameters(group, published.template), of_runs=[])


def _members(named: list[str]) -> dict[str, str]:
    return users.find(named) if named else {}


def _count(members: dict[str, str]) -> None:
    if len(members) > groups.MOST_MEMBERS:
        raise errors.InvalidRequest(f"a group has at most {groups.MOST_MEMBERS} members")


def _parameters(body: requests.CreateGroup, published: table.TemplateItem) -> list[dict[str, object]] | None:
    if body.parameters is None:
        return None
    own = narrowing.narrow(published.template, body.parameters)
    found = list(feasibility.obstacles(templates.parse(published.template, steps.ANYTHING), own))
    if found:
        detail = f"no run of the group could ever start: its parameters {'; '.join(found)}"
        raise errors.InvalidRequest(detail[:2000], "INVALID_PARAMETERS")
    return [parameters.document(one) for one in own]


def _config(body: requests.CreateGroup, published: table.TemplateItem) -> dict[str, Any] | None:
    if body.config is None:
        return None
    config = body.config.chosen()
    plans.check_config(templates.parse(published.template, steps.ANYTHING), config, settings.executors())
    return config


def update(who: access.Caller, group_id: str, body: requests.UpdateGroup) -> views.GroupHandle:
    """Another name or other members; the owner always stays one, so that a group can be deleted by somebody in it.

    Raises Forbidden, NotFound, InvalidRequest (unknown member, nobody left), Conflict (name taken).
    """
    access.group(who, group_id)
    group, items = groups.with_members(group_id)
    before = {item.user: item.name for item in items}
    members = before if body.members is None else _members(body.members)
    if not members:
        raise errors.InvalidRequest("a group keeps at least one member")
    if group.owner in before:
        members = {group.owner: before[group.owner], **members}
    _count(members)
    groups.update(group, body.name or group.name, before, members)
    changed, items = groups.with_members(group_id)
    shown = groups.parameters(changed, workflows.version(changed.workflow).template)
    files, _ = groups.uploads(group_id, settings.number("UPLOADS_SHOWN", 1000))
    return views.group(changed, items, shown, files)

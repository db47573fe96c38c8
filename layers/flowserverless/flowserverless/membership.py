"""Creating and changing groups: who is in them, who owns them, what they are called, which parameters they have."""

import functools
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flowserverless import access, api, requests, settings, users, views
from flowserverless.domain import errors, feasibility, narrowing, parameters, plans, runs, steps, templates
from flowserverless.store import groups, table, workflows

ROUNDS = 30
Look = Callable[[tuple[str, ...]], dict[str, str]]


def create(who: access.Caller, workflow: str, body: requests.CreateGroup, now: datetime) -> views.GroupHandle:
    """A new group of `workflow` with the caller as owner and member. Raises NotFound, InvalidRequest, Conflict."""
    head, published = workflows.with_template(workflow)
    members = _members(body.members or []) | {who.user: who.name}
    _count(members)
    if body.identifier and body.id and body.identifier != body.id:
        raise errors.InvalidRequest("`identifier` and `id` are the same thing and differ; send one of them")
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


def _count(members: Mapping[str, str]) -> None:
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
    """Another name, other members, another owner. Who is no member afterwards is told no more than strangers are.

    Whoever changes the group at the same moment makes this start over: what it is then is read and judged anew, the
    caller's own membership first. Raises Forbidden, NotFound, InvalidRequest (unknown member, nobody left), Conflict
    (name taken, the owner left out), Busy.
    """
    look = functools.cache(users.find)
    for attempt in range(ROUNDS):
        group, before = access.roster(who, group_id)
        after = _judge(who, group, before, body, look)
        try:
            done = groups.update(group, before, after)
        except table.ConditionFailed:
            table.pause(attempt)
            continue
        if done:
            return _shown(who, group, after)
    raise table.Busy("the group was changed by others all the time; try again")


def _judge(
    who: access.Caller, group: table.GroupItem, before: Mapping[str, str], body: requests.UpdateGroup, look: Look
) -> groups.Roster:
    """What the group becomes. Raises Forbidden, InvalidRequest, Conflict."""
    members = before if body.members is None else _named(body.members, before, look)
    owner = group.owner if body.owner is None else next(iter(_named([body.owner], {**before, **members}, look)))
    if owner != group.owner and who.user != group.owner and not who.organiser:
        raise errors.Forbidden("only the group's owner or an organiser hands it over", "OWNERS_ONLY")
    if not members:
        raise errors.InvalidRequest("a group keeps at least one member")
    if body.owner is not None and owner not in members:
        raise errors.InvalidRequest("the owner has to be one of the members", "OWNER_NOT_A_MEMBER")
    if owner in before and owner not in members:
        detail = "the owner is not among the members; hand the group over first, or name another 'owner' as well"
        raise errors.Conflict(detail, "OWNER_LEFT_OUT")
    _count(members)
    return groups.Roster(body.name or group.name, owner, members)


def _named(named: list[str], known: Mapping[str, str], look: Look) -> dict[str, str]:
    """Users by id or name. Who is known is not looked up: a member may stay whose account is disabled."""
    ids = {name: user for user, name in known.items()}
    asked = {one: ids.get(unicodedata.normalize("NFC", one), one.lower()) for one in named}
    there = {user: known[user] for user in asked.values() if user in known}
    return there | look(tuple(one for one, user in asked.items() if user not in known))


def _shown(who: access.Caller, group: table.GroupItem, now: groups.Roster) -> views.GroupHandle:
    group.name, group.owner = now.name, now.owner
    if who.user not in now.members and not who.organiser:
        return views.group_from_outside(group)
    found = [groups.member(group, user, name) for user, name in sorted(now.members.items())]
    shown = groups.parameters(group, workflows.version(group.workflow).template)
    files, _ = groups.uploads(group.group, settings.number("UPLOADS_SHOWN", 1000))
    return views.group(group, found, shown, files)

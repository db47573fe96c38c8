"""Changes a group: its name, owner and members."""

import functools
import unicodedata
from collections.abc import Callable, Mapping

from flowserverless.api import handles, requests, views
from flowserverless.auth import authorize
from flowserverless.aws import cognito
from flowserverless.domain import errors, groups
from flowserverless.store import group_items, transactions, upload_items, version_items

ROUNDS = 30
MAX_UPLOADS_SHOWN = 1000
Look = Callable[[tuple[str, ...]], dict[str, str]]


def group(who: authorize.Caller, group_id: str, body: requests.UpdateGroup) -> handles.GroupHandle:
    """Another name, other members, another owner. Who is no member afterwards is told no more than strangers are.

    Whoever changes the group at the same moment makes this start over: what it is then is read and judged anew, the
    caller's own membership first. Raises Forbidden, NotFound, InvalidRequest (unknown member, nobody left), Conflict
    (name taken, the owner left out), Busy.
    """
    look = functools.cache(cognito.find)
    for attempt in range(ROUNDS):
        group, before = authorize.roster(who, group_id)
        after = _judge(who, group, before, body, look)
        try:
            done = group_items.update(group, before, after)
        except transactions.ConditionFailed:
            transactions.pause(attempt)
            continue
        if done:
            return _shown(who, group, after)
    raise transactions.Busy("the group was changed by others all the time; try again")


def _judge(
    who: authorize.Caller, group: groups.Group, before: Mapping[str, str], body: requests.UpdateGroup, look: Look
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
    groups.require_room(members)
    return groups.Roster(body.name or group.name, owner, members)


def _named(named: list[str], known: Mapping[str, str], look: Look) -> dict[str, str]:
    """Users by id or name. Who is known is not looked up: a member may stay whose account is disabled."""
    ids = {name: user for user, name in known.items()}
    asked = {one: ids.get(unicodedata.normalize("NFC", one), one.lower()) for one in named}
    there = {user: known[user] for user in asked.values() if user in known}
    return there | look(tuple(one for one, user in asked.items() if user not in known))


def _shown(who: authorize.Caller, group: groups.Group, now: groups.Roster) -> handles.GroupHandle:
    group = group.after(now)
    if who.user not in now.members and not who.organiser:
        return views.group_from_outside(group)
    shown = group.declared(version_items.get(group.workflow).document)
    files, _ = upload_items.page(group.id, MAX_UPLOADS_SHOWN)
    return views.group(group, now.members, shown, files)

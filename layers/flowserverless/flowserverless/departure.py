"""Deleting an account: what a group did stays with the group, and the name of the user goes everywhere.

Every step may be repeated by the user, who signs in until the last one: memberships first, then the account.
"""

from collections.abc import Mapping
from datetime import datetime

from flowserverless import user_views, users
from flowserverless.store import groups, signouts, table, usernames

ROUNDS = 20
# How many groups are read at once.
GROUPS = 100


def depart(caller: Mapping[str, str], password: str, now: datetime) -> user_views.UserHandle:
    """Delete the account of a caller who knows its password. Raises InvalidRequest, Busy."""
    user, name = caller["user"], caller["name"]
    users.prove(name, password)
    _leave_all(user)
    users.delete(name)
    signouts.sign_out_everywhere(user, now)
    # Somebody may have added the user to a group meanwhile; nobody can any more.
    _leave_all(user)
    usernames.release(name, user)
    return {"id": user, "username": name}


def _leave_all(user: str) -> None:
    after = None
    while True:
        found, more = groups.links(f"USER#{user}", GROUPS, after)
        for link in found:
            _leave(link.group, user)
        if not more:
            return
        after = found[-1].group


def _leave(group_id: str, user: str) -> None:
    """Remove the user from a group, which somebody else owns then if there is somebody. Raises Busy."""
    for attempt in range(ROUNDS):
        group, people = groups.find(group_id)
        before = {one.user: one.name for one in people}
        if group is None or groups.is_closed(group) or user not in before:
            # Who deletes a group removes its members.
            return
        rest = {one: name for one, name in before.items() if one != user}
        heir = min(rest, key=lambda one: (rest[one], one), default=user)
        try:
            groups.update(group, before, groups.Roster(group.name, heir if group.owner == user else group.owner, rest))
        except table.ConditionFailed:
            table.pause(attempt)
            continue
        return
    raise table.Busy(f"group '{group_id}' was changed by others all the time; try again")

"""Removes a user from all groups, before and after the account is deleted."""

from flowserverless.domain import groups
from flowserverless.store import group_items, transactions

ROUNDS = 20
# How many groups are read at once.
GROUPS = 100


def all_groups(user: str) -> None:
    after = None
    while True:
        found, more = group_items.of_user(user, GROUPS, after)
        for line in found:
            _leave(line.id, user)
        if not more:
            return
        after = found[-1].id


def _leave(group_id: str, user: str) -> None:
    """Remove the user from a group, which somebody else owns then if there is somebody. Raises Busy."""

    def attempt() -> None:
        group, members = group_items.find(group_id)
        before = groups.names(members)
        # Who deletes a group removes its members.
        if group and not group.closed and user in before:
            group_items.update(group, before, group.roster_of(before).without(user))

    busy = f"group '{group_id}' was changed by others all the time; try again"
    transactions.until_settled(attempt, ROUNDS, busy, transactions.pause)

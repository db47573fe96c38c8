"""Removes a user from all groups, before and after the account is deleted."""

from flowserverless.store import group_items, transactions

ROUNDS = 20
# How many groups are read at once.
GROUPS = 100


def all_groups(user: str) -> None:
    after = None
    while True:
        found, more = group_items.links(f"USER#{user}", GROUPS, after)
        for link in found:
            _leave(link.group, user)
        if not more:
            return
        after = found[-1].group


def _leave(group_id: str, user: str) -> None:
    """Remove the user from a group, which somebody else owns then if there is somebody. Raises Busy."""
    for attempt in range(ROUNDS):
        group, people = group_items.find(group_id)
        before = {one.user: one.name for one in people}
        if group is None or group_items.is_closed(group) or user not in before:
            # Who deletes a group removes its members.
            return
        rest = {one: name for one, name in before.items() if one != user}
        heir = min(rest, key=lambda one: (rest[one], one), default=user)
        try:
            group_items.update(
                group, before, group_items.Roster(group.name, heir if group.owner == user else group.owner, rest)
            )
        except transactions.ConditionFailed:
            transactions.pause(attempt)
            continue
        return
    raise transactions.Busy(f"group '{group_id}' was changed by others all the time; try again")

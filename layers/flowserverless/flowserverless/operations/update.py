"""Changes a group: its name, owner and members."""

import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from flowserverless.aws import cognito
from flowserverless.domain import errors, frozen, groups, users
from flowserverless.store import group_items, transactions

ROUNDS = 30
Look = Callable[[tuple[str, ...]], dict[str, str]]
Read = Callable[[], tuple[groups.Group, dict[str, str]]]


@frozen.dataclass
class Changes:
    """What is to become of a group; None stays as it is. Members and the owner are named by id or name."""

    name: str | None
    members: Sequence[str] | None
    owner: str | None


def group(who: users.Caller, read: Read, changes: Changes) -> tuple[groups.Group, Mapping[str, str]]:
    """Another name, other members, another owner; the group as it is then, and its members as {id: name}.

    `read` answers the group and its members, and judges whether the caller may change them. Whoever changes the
    group at the same moment makes this start over: what it is then is read and judged anew, the caller's own
    membership first. Raises Forbidden, NotFound, InvalidRequest (unknown member, nobody left), Conflict (name taken,
    the owner left out), Busy.
    """
    look = functools.cache(cognito.find)

    def attempt() -> tuple[groups.Group, Mapping[str, str]]:
        group, before = read()
        after = _judge(who, group, before, changes, look)
        if not group_items.update(group, before, after):
            raise transactions.Unfinished
        return group.after(after), after.members

    busy = "the group was changed by others all the time; try again"
    return transactions.until_settled(attempt, ROUNDS, busy, transactions.pause)


def _judge(
    who: users.Caller, group: groups.Group, before: Mapping[str, str], changes: Changes, look: Look
) -> groups.Roster:
    """What the group becomes. Raises Forbidden, InvalidRequest, Conflict."""
    members = before if changes.members is None else _named(changes.members, before, look)
    owner = group.owner if changes.owner is None else next(iter(_named([changes.owner], {**before, **members}, look)))
    if owner != group.owner and who.user != group.owner and not who.organiser:
        raise errors.Forbidden("only the group's owner or an organiser hands it over", errors.OWNERS_ONLY)
    after = groups.Roster(changes.name or group.name, owner, members)
    groups.require_owner(after, before, named=changes.owner is not None)
    groups.require_room(members)
    return after


def _named(named: Sequence[str], known: Mapping[str, str], look: Look) -> dict[str, str]:
    """Users by id or name. Who is known is not looked up: a member may stay whose account is disabled."""
    ids = {name: user for user, name in known.items()}
    asked = {one: ids.get(unicodedata.normalize("NFC", one), one.lower()) for one in named}
    there = {user: known[user] for user in asked.values() if user in known}
    return there | look(tuple(one for one, user in asked.items() if user not in known))

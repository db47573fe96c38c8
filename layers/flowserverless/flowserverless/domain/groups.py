"""A group: its members, what they decide together, and its best run on each board."""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Any

from flowserverless.domain import errors, frozen

# A group is written in one transaction of at most 100 items: two for each member and a few of its own.
MAX_MEMBERS = 40
# How long the reconciler lets somebody else delete a group.
PATIENCE = timedelta(minutes=5)


@frozen.dataclass
class Member:
    """A user whom a group lists."""

    id: str
    name: str


@frozen.dataclass
class Membership:
    """That a user is a member: on this depends what a member asks for, until it is written."""

    group: str
    user: str


@frozen.dataclass
class Line:
    """A group in a listing."""

    id: str
    workflow: str
    name: str


@frozen.dataclass
class Best:
    """The best run of a group on one board, with its rank key."""

    key: str
    run: str


Bests = Mapping[str, Best | None]


@frozen.dataclass
class Roster:
    """What people decide about a group: its name, its owner, and its members as {id: name}."""

    name: str
    owner: str
    members: Mapping[str, str]

    def without(self, user: str) -> "Roster":
        """The roster after a member left: what was theirs goes to the first of the others by name, if there is one."""
        rest = {one: name for one, name in self.members.items() if one != user}
        heir = min(rest, key=lambda one: (rest[one], one), default=user)
        return replace(self, owner=heir if self.owner == user else self.owner, members=rest)


@frozen.dataclass
class Group:
    """A group of users that submits to one workflow.

    `bests` has each board that the group takes part in. `revision` is a counter that the changes of these depend on;
    `roster_id` is another one after each change of its roster, and such changes depend on it. A negative number of
    active runs marks a group that is being deleted: nothing of it begins any more.
    """

    id: str
    workflow: str
    name: str
    owner: str
    created_at: datetime
    parameters: list[dict[str, Any]] | None = None
    config: dict[str, Any] | None = None
    bests: Bests = field(default_factory=dict)
    active_runs: int = 0
    revision: int = 0
    roster_id: str | None = None

    @property
    def closed(self) -> bool:
        """Whether the group is being deleted."""
        return self.active_runs < 0

    def declared(self, template: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The declarations that the group's runs take: its own, which may be none, or else its workflow's."""
        return list(template.get("parameters", []) if self.parameters is None else self.parameters)

    def roster_of(self, members: Mapping[str, str]) -> Roster:
        """What people have decided about the group, whose members are these."""
        return Roster(self.name, self.owner, members)

    def after(self, roster: Roster) -> "Group":
        """The group as people have decided it to be."""
        return replace(self, name=roster.name, owner=roster.owner)


def names(members: Iterable[Member]) -> dict[str, str]:
    """Members as {id: name}."""
    return {member.id: member.name for member in members}


def require_idle(group: Group) -> None:
    """Raise Conflict while the group has active runs."""
    if group.active_runs > 0:
        raise errors.Conflict("the group has active runs; cancel them first", errors.GROUP_IS_ACTIVE)


def require_room(members: Mapping[str, str]) -> None:
    """Raise InvalidRequest if these are more members than a group may have."""
    if len(members) > MAX_MEMBERS:
        raise errors.InvalidRequest(f"a group has at most {MAX_MEMBERS} members")


def require_owner(after: Roster, before: Mapping[str, str], named: bool) -> None:
    """Raise unless a group keeps a member, and its owner, whom the request `named` or not, as one.

    An owner who was no member `before`, as the last who left the group is, may stay so.
    """
    if not after.members:
        raise errors.InvalidRequest("a group keeps at least one member")
    if named and after.owner not in after.members:
        raise errors.InvalidRequest("the owner has to be one of the members", errors.OWNER_NOT_A_MEMBER)
    if after.owner in before and after.owner not in after.members:
        detail = "the owner is not among the members; hand the group over first, or name another 'owner' as well"
        raise errors.Conflict(detail, errors.OWNER_LEFT_OUT)


def unknown(group_id: str) -> errors.NotFound:
    """What those are told who may see all groups, or could see this one, when it is not there."""
    return errors.NotFound(f"unknown group '{group_id[:100]}'")


def refusal(what: str) -> errors.Forbidden:
    """What strangers are told: the same of what is not theirs and of what does not exist."""
    return errors.Forbidden(f"you have no access to {what}, or it does not exist", errors.NO_ACCESS)

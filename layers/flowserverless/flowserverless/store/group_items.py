"""Groups and their members in the table."""

import contextlib
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors, names
from flowserverless.store import boards, due, table, transactions

# A group is made in one transaction of at most 100 items: two for each member and a few of its own.
MAX_MEMBERS = 40
MAX_WRITES = 100
CLOSED = -1
# How many items are deleted before somebody asks for the time.
SWEPT = 100
OPEN = table.GroupItem.active_runs >= 0


@dataclass(frozen=True)
class Roster:
    """What people decide about a group: its name, its owner, and its members as {id: name}."""

    name: str
    owner: str
    members: Mapping[str, str]


def get(group_id: str) -> table.GroupItem:
    """The group; raises NotFound."""
    item: table.GroupItem | None = table.get(table.group(group_id))
    if item is None:
        raise errors.NotFound(f"unknown group '{group_id}'")
    return item


def find(group_id: str) -> tuple[table.GroupItem | None, list[table.MemberItem]]:
    """The group, if there is one, and its members, in one Query."""
    partition, own = table.group(group_id)
    found = list(table.Item.query(partition, table.Item.sk.between(own, "MEMBER#~"), consistent_read=True))
    groups = [item for item in found if isinstance(item, table.GroupItem)]
    return groups[0] if groups else None, [item for item in found if isinstance(item, table.MemberItem)]


def with_members(group_id: str) -> tuple[table.GroupItem, list[table.MemberItem]]:
    """The group and its members in one Query; raises NotFound."""
    group, people = find(group_id)
    if group is None:
        raise errors.NotFound(f"unknown group '{group_id}'")
    return group, people


def parameters(group: table.GroupItem, template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The declarations that the group's runs take: its own, which may be none at all, or else its workflow's."""
    own: list[dict[str, Any]] | None = group.parameters
    return list(template.get("parameters", [])) if own is None else own


def _link(group: table.GroupItem, place: table.Key, name: str) -> table.GroupLinkItem:
    return table.GroupLinkItem(*place, group=group.group, workflow=group.workflow, name=name)


def _name(workflow: str, name: str) -> table.Key:
    digest = hashlib.sha256(names.skeleton(name).encode()).hexdigest()
    return f"WORKFLOW#{workflow}", f"NAME#{digest}"


def _line(group: table.GroupItem) -> table.Key:
    return f"WORKFLOW#{group.workflow}", f"GROUP#{group.group}"


def _way(group_id: str, user: str) -> table.Key:
    return f"USER#{user}", f"GROUP#{group_id}"


def _another() -> str:
    return uuid.uuid4().hex


def create(group: table.GroupItem, people: Mapping[str, str], workflow: table.WorkflowItem) -> None:
    """Write a new group with its members ({user id: name}), its unique name and the ways to find it, or nothing.

    The group joins the boards that `workflow` has; a board begun meanwhile makes this fail, so none misses a
    group. Raises Conflict when its id or its name is taken, Busy when the workflow changed.
    """
    group.boards = boards.written({board: None for board in (workflow.board, workflow.next_board) if board})
    group.roster = _another()
    head = table.WorkflowItem
    same = table.is_still(head.board, workflow.board) & table.is_still(head.next_board, workflow.next_board)
    name = _name(group.workflow, group.name)

    def compose(transaction: TransactWrite) -> None:
        transaction.condition_check(head, *table.workflow(group.workflow), condition=head.pk.exists() & same)
        transaction.save(group, condition=table.GroupItem.pk.does_not_exist())
        transaction.save(_link(group, name, group.name), condition=table.GroupLinkItem.pk.does_not_exist())
        transaction.save(_link(group, _line(group), group.name))
        _enter(transaction, group, group.name, people)

    try:
        transactions.commit(compose)
    except transactions.ConditionFailed:
        taken = table.fetch([table.group(group.group), name])
        if table.group(group.group) in taken:
            raise errors.Conflict(f"there is a group '{group.group}' already", "GROUP_EXISTS") from None
        if taken:
            raise _name_taken(group.name) from None
        raise transactions.Busy("the workflow was being published; try again") from None


def _enter(transaction: TransactWrite, group: table.GroupItem, name: str, people: Mapping[str, str]) -> None:
    for user, user_name in people.items():
        transaction.save(member(group, user, user_name))
        transaction.save(_link(group, _way(group.group, user), name))


def _name_taken(name: str) -> errors.Conflict:
    return errors.Conflict(f"there is a group named '{name}' already", "GROUP_NAME_TAKEN")


def member(group: table.GroupItem, user: str, name: str) -> table.MemberItem:
    """The item of a membership."""
    return table.MemberItem(*table.member(group.group, user), user=user, name=name)


def is_as(group: table.GroupItem) -> Any:
    """The condition that a group is open, and that its name, owner and members are as they were read."""
    return OPEN & table.is_still(table.GroupItem.roster, group.roster)


def update(group: table.GroupItem, before: Mapping[str, str], after: Roster) -> bool:
    """Change a group that is as it was read; says whether all is done.

    Of an exchange of more members than a transaction holds, some leave first: call again with what is there then.
    Raises Conflict when the name is taken, ConditionFailed when somebody else changed the group meanwhile.
    """
    if (group.name, group.owner, before) == (after.name, after.owner, after.members):
        return True
    now = _reachable(group, before, after)

    def compose(transaction: TransactWrite) -> None:
        _write(transaction, group, before, now)

    try:
        transactions.commit(compose)
    except transactions.ConditionFailed:
        holder = table.get(_name(group.workflow, after.name))
        if holder is not None and holder.group != group.group:
            raise _name_taken(after.name) from None
        raise
    return now == after


def _reachable(group: table.GroupItem, before: Mapping[str, str], after: Roster) -> Roster:
    """All of a change if one transaction holds it; else that some leave and, perhaps, another becomes the owner."""
    gone = [user for user in before if user not in after.members]
    stay = len(before) - len(gone) if after.name != group.name else 0
    if 2 * (len(gone) + len(after.members.keys() - before.keys())) + stay + 4 <= MAX_WRITES:
        return after
    last = set(gone[MAX_MEMBERS:])
    people = {user: name for user, name in before.items() if user in after.members or user in last}
    if after.owner in after.members:
        people[after.owner] = after.members[after.owner]
    return Roster(group.name, after.owner, people)


def _write(transaction: TransactWrite, group: table.GroupItem, before: Mapping[str, str], now: Roster) -> None:
    kind = table.GroupItem
    changed: list[Action] = [kind.name.set(now.name), kind.owner.set(now.owner), kind.roster.set(_another())]
    transaction.update(group, changed, condition=is_as(group))
    old, new = _name(group.workflow, group.name), _name(group.workflow, now.name)
    if old != new:
        free = table.GroupLinkItem.pk.does_not_exist()
        transaction.delete(table.GroupLinkItem(*old))
        transaction.save(_link(group, new, now.name), condition=free)
    if group.name != now.name:
        if old == new:
            transaction.save(_link(group, new, now.name))
        transaction.save(_link(group, _line(group), now.name))
        for user in before.keys() & now.members.keys():
            transaction.save(_link(group, _way(group.group, user), now.name))
    _enter(transaction, group, now.name, {user: now.members[user] for user in now.members.keys() - before.keys()})
    for user in before.keys() - now.members.keys():
        transaction.delete(table.MemberItem(*table.member(group.group, user)))
        transaction.delete(table.GroupLinkItem(*_way(group.group, user)))


def links(
    partition: str, limit: int, after: str | None, workflow: str | None = None
) -> tuple[list[table.GroupLinkItem], bool]:
    """Groups of `USER#{user}` or `WORKFLOW#{workflow}` by id, behind group `after`; and whether more follow.

    Only those of `workflow`, if there is one; the others are read all the same.
    """
    key = table.GroupLinkItem.sk
    # Behind the group itself, before any whose id begins with its id.
    condition = key.between(f"GROUP#{after}!", "GROUP#~") if after else key.startswith("GROUP#")
    query: dict[str, Any] = {"consistent_read": True, "limit": limit + 1}
    if workflow is not None:
        # Pages are counted before they are filtered: those of a small limit would be nearly empty.
        query |= {"filter_condition": table.GroupLinkItem.workflow == workflow, "page_size": 1000}
    found = list(table.GroupLinkItem.query(partition, condition, **query))
    return found[:limit], len(found) > limit


def close(group: table.GroupItem, due_at: str) -> None:
    """Let nothing of the group begin any more. Raises Conflict while it has active runs, ConditionFailed if it changed.

    The mark is a negative counter: whatever is written to the group is written on the condition that it is not below
    zero. From `due_at` on the reconciler looks after what is left.
    """
    if group.active_runs > 0:
        raise errors.Conflict("the group has active runs; cancel them first", "GROUP_IS_ACTIVE")
    kind = table.GroupItem

    def compose(transaction: TransactWrite) -> None:
        actions: list[Action] = [
            kind.active_runs.set(CLOSED),
            kind.roster.set(_another()),
            kind.due.set(due.Kind.GROUP),
            kind.due_at.set(due_at),
        ]
        transaction.update(group, actions, condition=is_as(group) & (kind.active_runs == 0))

    transactions.commit(compose)


def is_closed(group: table.GroupItem) -> bool:
    """Whether a group is being deleted."""
    return bool(group.active_runs < 0)


def closed(group_id: str) -> table.GroupItem | None:
    """The group if it is being deleted; None when there is none, or another one of its identifier."""
    item: table.GroupItem | None = table.get(table.group(group_id))
    return item if item and is_closed(item) else None


def postpone(group: table.GroupItem, due_at: str) -> None:
    """Let the reconciler be patient with the deletion of a group that somebody works on."""
    kind = table.GroupItem
    try:
        group.update(actions=[kind.due_at.set(due_at)], condition=table.is_still(kind.roster, group.roster))
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise


def unlist(group_id: str) -> None:
    """Let nobody's list of groups show the group any more."""
    partition, prefix = table.member(group_id, "")
    found = table.MemberItem.query(partition, table.MemberItem.sk.startswith(prefix), consistent_read=True)
    _remove([_way(group_id, one.user) for one in found])


def sweep(group_id: str) -> bool:
    """Delete some of what a closed group has besides itself and its members; says whether nothing is left."""
    partition, own = table.group(group_id)
    # Only the keys: items may be large.
    query: dict[str, Any] = {"consistent_read": True, "limit": SWEPT, "attributes_to_get": ["pk", "sk", "kind"]}
    around = table.Item.sk < own, table.Item.sk > "MEMBER#~"
    left = [(partition, item.sk) for part in around for item in table.Item.query(partition, part, **query)]
    _remove(left)
    return not left


def _remove(keys: Sequence[table.Key]) -> None:
    with table.Item.batch_write() as batch:
        for key in keys:
            batch.delete(table.Item(*key))


def delete(group: table.GroupItem) -> None:
    """Remove a group of which nothing else is left: its members, its name, its line in its workflow, and itself.

    Its members are kept so long because the owner may ask for the deletion again. Harmless when repeated.
    """
    _, people = find(group.group)
    ways = [_way(group.group, one.user) for one in people]
    _remove([*ways, *((one.pk, one.sk) for one in people)])

    def compose(transaction: TransactWrite) -> None:
        transaction.delete(group, condition=table.is_still(table.GroupItem.roster, group.roster))
        transaction.delete(table.GroupLinkItem(*_name(group.workflow, group.name)))
        transaction.delete(table.GroupLinkItem(*_line(group)))

    with contextlib.suppress(transactions.ConditionFailed):
        transactions.commit(compose)

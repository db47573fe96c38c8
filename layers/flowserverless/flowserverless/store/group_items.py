"""Groups and their members in the table."""

import contextlib
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors, groups, names, workflows
from flowserverless.store import batch_reads, boards, due, members, table, transactions

MAX_WRITES = 100
CLOSED = -1
# How many items are deleted before somebody asks for the time.
SWEPT = 100
OPEN = table.GroupItem.active_runs >= 0


def from_item(item: Any) -> groups.Group:
    """The group that an item holds."""
    return groups.Group(
        id=item.group,
        workflow=item.workflow,
        name=item.name,
        owner=item.owner,
        created_at=item.created_at,
        parameters=item.parameters,
        config=item.config,
        bests=boards.read(item.boards),
        active_runs=int(item.active_runs),
        revision=int(item.revision),
        roster_id=item.roster,
    )


def to_item(group: groups.Group) -> table.GroupItem:
    """The item that holds a group."""
    return table.GroupItem(
        *table.group(group.id),
        group=group.id,
        workflow=group.workflow,
        name=group.name,
        owner=group.owner,
        created_at=group.created_at,
        parameters=group.parameters,
        config=group.config,
        boards=boards.written(group.bests),
        active_runs=group.active_runs,
        revision=group.revision,
        roster=group.roster_id,
    )


def wanted(group_id: str) -> batch_reads.Wanted[groups.Group]:
    """A group, to be read together with other things."""
    return batch_reads.Wanted(table.group(group_id), from_item)


def seek(group_id: str) -> groups.Group | None:
    """The group, if there is one."""
    return batch_reads.one(wanted(group_id))


def get(group_id: str) -> groups.Group:
    """The group; raises NotFound."""
    found = seek(group_id)
    if found is None:
        raise groups.unknown(group_id)
    return found


def find(group_id: str) -> tuple[groups.Group | None, list[groups.Member]]:
    """The group, if there is one, and its members by id, in one Query."""
    (partition, own), (_, last) = table.group(group_id), table.member(group_id, "~")
    found = list(table.Item.query(partition, table.Item.sk.between(own, last), consistent_read=True))
    group = next((from_item(item) for item in found if isinstance(item, table.GroupItem)), None)
    return group, [members.from_item(item) for item in found if isinstance(item, table.MemberItem)]


def with_members(group_id: str) -> tuple[groups.Group, list[groups.Member]]:
    """The group and its members in one Query; raises NotFound."""
    group, people = find(group_id)
    if group is None:
        raise groups.unknown(group_id)
    return group, people


def _key_only(group: groups.Group) -> table.GroupItem:
    return table.GroupItem(*table.group(group.id))


def _link(group: groups.Group, place: table.Key, name: str) -> table.GroupLinkItem:
    return table.GroupLinkItem(*place, group=group.id, workflow=group.workflow, name=name)


def line_item(group: groups.Group) -> table.GroupLinkItem:
    """The item by which a workflow's listing leads to the group."""
    return _link(group, table.workflow_group(group.workflow, group.id), group.name)


def user_line_item(group: groups.Group, user: str) -> table.GroupLinkItem:
    """The item by which a user's own listing leads to the group."""
    return _link(group, table.user_group(user, group.id), group.name)


def _name(workflow: str, name: str) -> table.Key:
    digest = hashlib.sha256(names.skeleton(name).encode()).hexdigest()
    return table.group_name(workflow, digest)


def _another() -> str:
    return uuid.uuid4().hex


def create(group: groups.Group, people: Mapping[str, str], workflow: workflows.Workflow) -> None:
    """Write a new group with its members ({user id: name}), its unique name and the ways to find it, or nothing.

    The group joins the boards that `workflow` has; a board begun meanwhile makes this fail, so none misses a
    group. Raises Conflict when its id or its name is taken, Busy when the workflow changed.
    """
    bests = dict.fromkeys(workflow.boards)
    item = to_item(replace(group, bests=bests, roster_id=_another()))
    head = table.WorkflowItem
    same = table.is_still(head.board, workflow.board) & table.is_still(head.next_board, workflow.next_board)
    name = _name(group.workflow, group.name)

    def compose(transaction: TransactWrite) -> None:
        transaction.condition_check(head, *table.workflow(group.workflow), condition=head.pk.exists() & same)
        transaction.save(item, condition=table.GroupItem.pk.does_not_exist())
        transaction.save(_link(group, name, group.name), condition=table.GroupLinkItem.pk.does_not_exist())
        transaction.save(line_item(group))
        _enter(transaction, group, group.name, people)

    try:
        transactions.commit(compose)
    except transactions.ConditionFailed:
        taken = table.fetch([table.group(group.id), name])
        if table.group(group.id) in taken:
            raise errors.Conflict(f"there is a group '{group.id}' already", errors.GROUP_EXISTS) from None
        if taken:
            raise _name_taken(group.name) from None
        raise transactions.Busy("the workflow was being published; try again") from None


def _enter(transaction: TransactWrite, group: groups.Group, name: str, people: Mapping[str, str]) -> None:
    for user, user_name in people.items():
        transaction.save(members.to_item(group.id, groups.Member(user, user_name)))
        transaction.save(_link(group, table.user_group(user, group.id), name))


def _name_taken(name: str) -> errors.Conflict:
    return errors.Conflict(f"there is a group named '{name}' already", errors.GROUP_NAME_TAKEN)


def is_as(group: groups.Group) -> Any:
    """The condition that a group is open, and that its name, owner and members are as they were read."""
    return OPEN & table.is_still(table.GroupItem.roster, group.roster_id)


def update(group: groups.Group, members: Mapping[str, str], after: groups.Roster) -> bool:
    """Change a group that is as it was read, with these members; says whether all is done.

    Of an exchange of more members than a transaction holds, some leave first: call again with what is there then.
    Raises Conflict when the name is taken, ConditionFailed when somebody else changed the group meanwhile.
    """
    before = group.roster_of(members)
    if before == after:
        return True
    now = _reachable(before, after)

    def compose(transaction: TransactWrite) -> None:
        _write(transaction, group, before, now)

    try:
        transactions.commit(compose)
    except transactions.ConditionFailed:
        holder = table.get(_name(group.workflow, after.name))
        if holder is not None and holder.group != group.id:
            raise _name_taken(after.name) from None
        raise
    return now == after


def _reachable(before: groups.Roster, after: groups.Roster) -> groups.Roster:
    """All of a change if one transaction holds it; else that some leave and, perhaps, another becomes the owner."""
    gone = [user for user in before.members if user not in after.members]
    stay = len(before.members) - len(gone) if after.name != before.name else 0
    if 2 * (len(gone) + len(after.members.keys() - before.members.keys())) + stay + 4 <= MAX_WRITES:
        return after
    last = set(gone[groups.MAX_MEMBERS :])
    people = {user: name for user, name in before.members.items() if user in after.members or user in last}
    if after.owner in after.members:
        people[after.owner] = after.members[after.owner]
    return groups.Roster(before.name, after.owner, people)


def _write(transaction: TransactWrite, group: groups.Group, before: groups.Roster, now: groups.Roster) -> None:
    kind = table.GroupItem
    changed: list[Action] = [kind.name.set(now.name), kind.owner.set(now.owner), kind.roster.set(_another())]
    transaction.update(_key_only(group), changed, condition=is_as(group))
    old, new = _name(group.workflow, before.name), _name(group.workflow, now.name)
    if old != new:
        free = table.GroupLinkItem.pk.does_not_exist()
        transaction.delete(table.GroupLinkItem(*old))
        transaction.save(_link(group, new, now.name), condition=free)
    if before.name != now.name:
        if old == new:
            transaction.save(_link(group, new, now.name))
        transaction.save(_link(group, table.workflow_group(group.workflow, group.id), now.name))
        for user in before.members.keys() & now.members.keys():
            transaction.save(_link(group, table.user_group(user, group.id), now.name))
    joining, leaving = now.members.keys() - before.members.keys(), before.members.keys() - now.members.keys()
    _enter(transaction, group, now.name, {user: now.members[user] for user in joining})
    for user in leaving:
        transaction.delete(table.MemberItem(*table.member(group.id, user)))
        transaction.delete(table.GroupLinkItem(*table.user_group(user, group.id)))


def of_workflow(workflow: str, limit: int, after: str | None) -> tuple[list[groups.Line], bool]:
    """Groups of a workflow by id, behind group `after`; and whether more follow."""
    return _lines(table.workflow_group(workflow, ""), limit, after)


def of_user(user: str, limit: int, after: str | None, workflow: str | None = None) -> tuple[list[groups.Line], bool]:
    """Groups of a user by id, behind group `after`; and whether more follow.

    Only those of `workflow`, if there is one; the others are read all the same.
    """
    query: dict[str, Any] = {}
    if workflow is not None:
        # Pages are counted before they are filtered: those of a small limit would be nearly empty.
        query = {"filter_condition": table.GroupLinkItem.workflow == workflow, "page_size": 1000}
    return _lines(table.user_group(user, ""), limit, after, **query)


def _lines(first: table.Key, limit: int, after: str | None, **query: Any) -> tuple[list[groups.Line], bool]:
    partition, prefix = first
    key = table.GroupLinkItem.sk
    # Behind the group itself, before any whose id begins with its id.
    condition = key.between(f"{prefix}{after}!", f"{prefix}~") if after else key.startswith(prefix)
    items = table.GroupLinkItem.query(partition, condition, consistent_read=True, limit=limit + 1, **query)
    found = [groups.Line(item.group, item.workflow, item.name) for item in items]
    return found[:limit], len(found) > limit


def close(group: groups.Group, due_at: datetime) -> None:
    """Let nothing of the group begin any more. Raises Conflict while it has active runs, ConditionFailed if it changed.

    The mark is a negative counter: whatever is written to the group is written on the condition that it is not below
    zero. From `due_at` on the reconciler looks after what is left.
    """
    groups.require_idle(group)
    kind = table.GroupItem

    def compose(transaction: TransactWrite) -> None:
        actions: list[Action] = [
            kind.active_runs.set(CLOSED),
            kind.roster.set(_another()),
            kind.due.set(due.Kind.GROUP),
            kind.due_at.set(due_at),
        ]
        transaction.update(_key_only(group), actions, condition=is_as(group) & (kind.active_runs == 0))

    transactions.commit(compose)


def closed(group_id: str) -> groups.Group | None:
    """The group if it is being deleted; None when there is none, or another one of its identifier."""
    found = seek(group_id)
    return found if found and found.closed else None


def postpone(group: groups.Group, due_at: datetime) -> None:
    """Let the reconciler be patient with the deletion of a group that somebody works on."""
    kind = table.GroupItem
    item, same = _key_only(group), table.is_still(kind.roster, group.roster_id)
    table.written(lambda: item.update(actions=[kind.due_at.set(due_at)], condition=same))


def unlist(group_id: str) -> None:
    """Let nobody's list of groups show the group any more."""
    partition, prefix = table.member(group_id, "")
    found = table.MemberItem.query(partition, table.MemberItem.sk.startswith(prefix), consistent_read=True)
    _remove([table.user_group(one.user, group_id) for one in found])


def sweep(group_id: str) -> bool:
    """Delete some of what a closed group has besides itself and its members; says whether nothing is left."""
    (partition, own), (_, last) = table.group(group_id), table.member(group_id, "~")
    # Only the keys: items may be large.
    query: dict[str, Any] = {"consistent_read": True, "limit": SWEPT, "attributes_to_get": ["pk", "sk", "kind"]}
    around = table.Item.sk < own, table.Item.sk > last
    left = [(partition, item.sk) for part in around for item in table.Item.query(partition, part, **query)]
    _remove(left)
    return not left


def _remove(keys: Sequence[table.Key]) -> None:
    with table.Item.batch_write() as batch:
        for key in keys:
            batch.delete(table.Item(*key))


def delete(group: groups.Group) -> None:
    """Remove a group of which nothing else is left: its members, its name, its line in its workflow, and itself.

    Its members are kept so long because the owner may ask for the deletion again. Harmless when repeated.
    """
    _, people = find(group.id)
    ways = [table.user_group(one.id, group.id) for one in people]
    _remove([*ways, *(table.member(group.id, one.id) for one in people)])

    def compose(transaction: TransactWrite) -> None:
        transaction.delete(_key_only(group), condition=table.is_still(table.GroupItem.roster, group.roster_id))
        transaction.delete(table.GroupLinkItem(*_name(group.workflow, group.name)))
        transaction.delete(table.GroupLinkItem(*table.workflow_group(group.workflow, group.id)))

    with contextlib.suppress(transactions.ConditionFailed):
        transactions.commit(compose)

"""Groups, their members and their uploads in the table."""

import hashlib
from collections.abc import Mapping
from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors, names
from flowserverless.store import files, rankings, table

# A group is written in one transaction of at most 100 items: two for each member and a few of its own.
MOST_MEMBERS = 40
CLOSED = -1


def get(group_id: str) -> table.GroupItem:
    """The group; raises NotFound."""
    item: table.GroupItem | None = table.get(table.group(group_id))
    if item is None:
        raise errors.NotFound(f"unknown group '{group_id}'")
    return item


def with_members(group_id: str) -> tuple[table.GroupItem, list[table.MemberItem]]:
    """The group and its members in one Query; raises NotFound."""
    partition, _ = table.group(group_id)
    found = list(table.Item.query(partition, table.Item.sk.between("GROUP", "MEMBER#~"), consistent_read=True))
    groups = [item for item in found if isinstance(item, table.GroupItem)]
    if not groups:
        raise errors.NotFound(f"unknown group '{group_id}'")
    return groups[0], [item for item in found if isinstance(item, table.MemberItem)]


def parameters(group: table.GroupItem, template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The declarations that the group's runs take: its own, which may be none at all, or else its workflow's."""
    own: list[dict[str, Any]] | None = group.parameters
    return list(template.get("parameters", [])) if own is None else own


def _links(group: table.GroupItem, members: Mapping[str, str]) -> list[table.GroupLinkItem]:
    places = [(f"WORKFLOW#{group.workflow}", f"GROUP#{group.group}"), _name(group)]
    places += [(f"USER#{user}", f"GROUP#{group.group}") for user in members]
    return [
        table.GroupLinkItem(*place, group=group.group, workflow=group.workflow, name=group.name) for place in places
    ]


def _name(group: table.GroupItem) -> table.Key:
    digest = hashlib.sha256(names.skeleton(group.name).encode()).hexdigest()
    return f"WORKFLOW#{group.workflow}", f"NAME#{digest}"


def create(group: table.GroupItem, members: Mapping[str, str], workflow: table.WorkflowItem) -> None:
    """Write a new group with its members ({user id: name}), its unique name and the ways to find it, or nothing.

    The group joins the boards that `workflow` has; a board begun meanwhile makes this fail, so none misses a
    group. Raises Conflict when its id or its name is taken, Busy when the workflow changed.
    """
    group.boards = rankings.written({board: None for board in (workflow.board, workflow.next_board) if board})
    head = table.WorkflowItem
    same = table.is_still(head.board, workflow.board) & table.is_still(head.next_board, workflow.next_board)

    def compose(transaction: TransactWrite) -> None:
        transaction.condition_check(head, *table.workflow(group.workflow), condition=head.pk.exists() & same)
        transaction.save(group, condition=table.GroupItem.pk.does_not_exist())
        for link in _links(group, members):
            transaction.save(link, condition=table.GroupLinkItem.pk.does_not_exist())
        for user, name in members.items():
            transaction.save(member(group, user, name))

    try:
        table.commit(compose)
    except table.ConditionFailed:
        taken = table.fetch([table.group(group.group), _name(group)])
        if table.group(group.group) in taken:
            raise errors.Conflict(f"there is a group '{group.group}' already", "GROUP_EXISTS") from None
        if taken:
            raise errors.Conflict(f"there is a group named '{group.name}' already", "GROUP_NAME_TAKEN") from None
        raise table.Busy("the workflow was being published; try again") from None


def member(group: table.GroupItem, user: str, name: str) -> table.MemberItem:
    """The item of a membership."""
    return table.MemberItem(*table.member(group.group, user), user=user, name=name)


def update(group: table.GroupItem, name: str, before: Mapping[str, str], members: Mapping[str, str]) -> None:
    """Give a group another name and other members, or change nothing; raises Conflict when the name is taken.

    Raises Busy when the group was updated by somebody else meanwhile.
    """
    renamed = table.GroupItem(*table.group(group.group), group=group.group, workflow=group.workflow, name=name)
    gone = [user for user in before if user not in members]
    # Another way to write the same name is the same item.
    moved = _name(renamed) != _name(group)

    def compose(transaction: TransactWrite) -> None:
        transaction.update(
            group,
            [table.GroupItem.name.set(name)],
            condition=table.GroupItem.name == group.name,
        )
        if moved:
            transaction.delete(table.GroupLinkItem(*_name(group)))
        for link in _links(renamed, members):
            new_name = (link.pk, link.sk) == _name(renamed) and moved
            transaction.save(link, condition=table.GroupLinkItem.pk.does_not_exist() if new_name else None)
        for user, user_name in members.items():
            transaction.save(member(group, user, user_name))
        for user in gone:
            transaction.delete(table.MemberItem(*table.member(group.group, user)))
            transaction.delete(table.GroupLinkItem(f"USER#{user}", f"GROUP#{group.group}"))

    try:
        table.commit(compose)
    except table.ConditionFailed:
        if moved and table.get(_name(renamed)) is not None:
            raise errors.Conflict(f"there is a group named '{name}' already", "GROUP_NAME_TAKEN") from None
        raise table.Busy("the group was changed by somebody else; try again") from None


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


def uploads(group_id: str, limit: int, before: str | None = None) -> tuple[list[table.UploadItem], bool]:
    """Uploads of a group, newest first, behind file `before`; and whether more follow."""
    partition, _ = table.group(group_id)
    key = table.UploadItem.sk
    condition = key.between("UPLOAD#", f"UPLOAD#{before}") if before else key.startswith("UPLOAD#")
    found = [
        item
        for item in table.UploadItem.query(
            partition, condition, consistent_read=True, scan_index_forward=False, limit=limit + 2
        )
        if item.file != before
    ]
    return found[:limit], len(found) > limit


def upload(group_id: str, file: str) -> table.UploadItem:
    """One upload; raises NotFound."""
    item: table.UploadItem | None = table.get(table.upload(group_id, file))
    if item is None:
        raise errors.NotFound(f"unknown file '{file[:100]}'")
    return item


def arrived(item: table.UploadItem) -> str:
    """The name of an upload that can be used; an announced one is looked up in S3 the first time.

    Raises Conflict while it has not arrived complete, or when its bytes are not the announced ones.
    """
    if not item.pending:
        return str(item.name)
    key = files.upload(item.pk.removeprefix("GROUP#"), item.file)
    if not files.is_complete(key, int(item.size), item.sha256):
        raise errors.Conflict(f"file '{item.file}' ({item.name}) has not arrived complete", "UPLOAD_INCOMPLETE")
    item.update(actions=[table.UploadItem.pending.set(False)], condition=table.UploadItem.pk.exists())
    return str(item.name)


def close(group: table.GroupItem) -> None:
    """Let no run of the group start any more; raises Conflict while it has active ones, NotFound when it is gone.

    The mark is a negative counter: starting a run counts up on the condition that the counter is not below zero.
    """
    if group.active_runs < 0:
        return
    condition = table.GroupItem.active_runs == 0
    try:
        group.update(actions=[table.GroupItem.active_runs.set(CLOSED)], condition=condition)
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        raise errors.Conflict("the group has active runs; cancel them first", "GROUP_IS_ACTIVE") from None


def delete(group: table.GroupItem) -> None:
    """Remove a closed group, its members, its name, and the ways to find it, in one transaction."""
    _, members = with_members(group.group)

    def compose(transaction: TransactWrite) -> None:
        transaction.delete(group)
        for one in members:
            transaction.delete(one)
        for link in _links(group, {one.user: one.name for one in members}):
            transaction.delete(link)

    table.commit(compose)

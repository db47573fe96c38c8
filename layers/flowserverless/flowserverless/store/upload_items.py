"""A group's uploads in the table: announced, arrived, withdrawn."""

from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors, groups
from flowserverless.store import bucket, group_items, members, reads, table, transactions


def wanted(group_id: str, file: str) -> reads.Wanted[table.UploadItem]:
    """An upload, to be read together with other things."""
    return reads.Wanted(table.upload(group_id, file), lambda item: item)


def wanted_content(group_id: str, size: int, sha256: str) -> reads.Wanted[str]:
    """Which upload of a group has these bytes, to be read together with other things."""
    return reads.Wanted(table.content(group_id, size, sha256), lambda item: str(item.file))


def page(group_id: str, limit: int, before: str | None = None) -> tuple[list[table.UploadItem], bool]:
    """Uploads of a group, newest first, behind file `before`; and whether more follow."""
    partition, prefix = table.upload(group_id, "")
    key = table.UploadItem.sk
    condition = key.between(prefix, prefix + before) if before else key.startswith(prefix)
    found = [
        item
        for item in table.UploadItem.query(
            partition, condition, consistent_read=True, scan_index_forward=False, limit=limit + 2
        )
        if item.file != before
    ]
    return found[:limit], len(found) > limit


def get(group_id: str, file: str) -> table.UploadItem:
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
    if not is_there(item):
        raise errors.Conflict(f"file '{item.file}' ({item.name}) has not arrived complete", "UPLOAD_INCOMPLETE")
    if not mark_arrived(item):
        raise errors.NotFound(f"unknown file '{item.file}'")
    return str(item.name)


def is_there(item: table.UploadItem) -> bool:
    """Whether S3 has the bytes of an upload, and no others, whatever its row says."""
    return bucket.is_complete(bucket.upload(table.owner_of(item), item.file), int(item.size), item.sha256)


def mark_arrived(item: table.UploadItem) -> bool:
    """Note that an upload's bytes are there; False when it was deleted meanwhile."""
    try:
        item.update(actions=[table.UploadItem.pending.set(False)], condition=table.UploadItem.pk.exists())
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def same_content(item: table.UploadItem) -> table.Key | None:
    """The key of what leads to an upload by its bytes; None for one of which they are not known."""
    if item.sha256 is None:
        return None
    return table.content(table.owner_of(item), int(item.size), item.sha256)


def add(group: groups.Group, item: table.UploadItem, by: groups.Membership | None) -> None:
    """Write a new upload while the group is open, who adds it is a member, and no other has the same bytes.

    Raises ConditionFailed.
    """
    item.uses = 0
    pointer = table.ContentItem(*table.content(group.id, int(item.size), str(item.sha256)), file=item.file)

    def compose(transaction: TransactWrite) -> None:
        _require_open(transaction, group)
        members.require(transaction, by)
        transaction.save(pointer, condition=table.ContentItem.pk.does_not_exist())
        transaction.save(item, condition=table.UploadItem.pk.does_not_exist())

    transactions.commit(compose)


def bring_again(group: groups.Group, item: table.UploadItem, by: groups.Membership | None, **changed: Any) -> None:
    """Write what changes of an upload whose bytes are brought again, as `add_upload` does. Raises ConditionFailed."""
    kind = table.UploadItem
    actions: list[Action] = [getattr(kind, name).set(value) for name, value in changed.items()]

    def compose(transaction: TransactWrite) -> None:
        _require_open(transaction, group)
        members.require(transaction, by)
        transaction.update(item, actions, condition=kind.pk.exists())

    transactions.commit(compose)
    for name, value in changed.items():
        setattr(item, name, value)


def _require_open(transaction: TransactWrite, group: groups.Group) -> None:
    same = group_items.OPEN & (table.GroupItem.created_at == group.created_at)
    transaction.condition_check(table.GroupItem, *table.group(group.id), condition=same)


def withdraw(
    group: groups.Group, item: table.UploadItem, note: table.WithdrawnItem, by: groups.Membership | None
) -> None:
    """Replace an upload by a note that its object is to be removed.

    Raises ConditionFailed when a run was started with it since it was read, or another form was given for it.
    """
    pointer = same_content(item)

    def compose(transaction: TransactWrite) -> None:
        _require_open(transaction, group)
        members.require(transaction, by)
        kind = table.UploadItem
        same = table.is_still(kind.uses, item.uses) & table.is_still(kind.formed_at, item.formed_at)
        transaction.delete(item, condition=kind.pk.exists() & same)
        if pointer:
            transaction.delete(table.ContentItem(*pointer))
        transaction.save(note)

    transactions.commit(compose)

"""A group's uploads in the table: announced, arrived, withdrawn."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import groups, uploads
from flowserverless.store import batch_reads, bucket, due, group_items, members, table, transactions


def from_item(item: Any) -> uploads.Upload:
    """The upload that an item holds."""
    return uploads.Upload(
        group=table.owner_of(item),
        id=item.file,
        name=item.name,
        size=int(item.size),
        created_at=item.created_at,
        media_type=item.media_type,
        sha256=item.sha256,
        pending=bool(item.pending),
        uses=None if item.uses is None else int(item.uses),
        formed_at=item.formed_at,
    )


def to_item(upload: uploads.Upload) -> table.UploadItem:
    """The item that holds an upload."""
    return table.UploadItem(
        *table.upload(upload.group, upload.id),
        file=upload.id,
        name=upload.name,
        size=upload.size,
        created_at=upload.created_at,
        media_type=upload.media_type,
        sha256=upload.sha256,
        pending=upload.pending,
        uses=upload.uses,
        formed_at=upload.formed_at,
    )


def _key_only(upload: uploads.Upload) -> table.UploadItem:
    return table.UploadItem(*table.upload(upload.group, upload.id))


def wanted(group_id: str, file: str) -> batch_reads.Wanted[uploads.Upload]:
    """An upload, to be read together with other things."""
    return batch_reads.Wanted(table.upload(group_id, file), from_item)


def wanted_content(group_id: str, size: int, sha256: str) -> batch_reads.Wanted[str]:
    """Which upload of a group has these bytes, to be read together with other things."""
    return batch_reads.Wanted(table.content(group_id, size, sha256), lambda item: str(item.file))


def wanted_tombstone(group_id: str, file: str) -> batch_reads.Wanted[str]:
    """That an upload was deleted and can be posted still, to be read together with other things."""
    return batch_reads.Wanted(table.withdrawn(group_id, file), lambda _: file)


def page(group_id: str, limit: int, before: str | None = None) -> tuple[list[uploads.Upload], bool]:
    """Uploads of a group, newest first, behind file `before`; and whether more follow."""
    partition, prefix = table.upload(group_id, "")
    key = table.UploadItem.sk
    condition = key.between(prefix, prefix + before) if before else key.startswith(prefix)
    found = [
        from_item(item)
        for item in table.UploadItem.query(
            partition, condition, consistent_read=True, scan_index_forward=False, limit=limit + 2
        )
        if item.file != before
    ]
    return found[:limit], len(found) > limit


def seek(group_id: str, file: str) -> uploads.Upload | None:
    """One upload, if there is one."""
    return batch_reads.one(wanted(group_id, file))


def get(group_id: str, file: str) -> uploads.Upload:
    """One upload; raises NotFound."""
    found = seek(group_id, file)
    if found is None:
        raise uploads.unknown(file)
    return found


def arrived(upload: uploads.Upload) -> uploads.Upload:
    """The upload as it can be used; an announced one is looked up in S3 the first time.

    Raises Conflict while it has not arrived complete, or when its bytes are not the announced ones.
    """
    if not upload.pending:
        return upload
    uploads.require_arrived(upload, is_there(upload))
    found = mark_arrived(upload)
    if found is None:
        raise uploads.unknown(upload.id)
    return found


def is_there(upload: uploads.Upload) -> bool:
    """Whether S3 has the bytes of an upload, and no others, whatever its item says."""
    return bucket.is_complete(bucket.upload(upload.group, upload.id), upload.size, upload.sha256)


def mark_arrived(upload: uploads.Upload) -> uploads.Upload | None:
    """Note that an upload's bytes are there; the upload as it is then, None when it was deleted meanwhile."""
    item = _key_only(upload)
    arrived, there = table.UploadItem.pending.set(False), table.UploadItem.pk.exists()
    return from_item(item) if table.written(lambda: item.update(actions=[arrived], condition=there)) else None


def _same_content(upload: uploads.Upload) -> table.Key | None:
    """The key of what leads to an upload by its bytes; None for one of which they are not known."""
    return table.content(upload.group, upload.size, upload.sha256) if upload.sha256 is not None else None


def add(group: groups.Group, upload: uploads.Upload, by: groups.Membership | None) -> None:
    """Write a new upload while the group is open, who adds it is a member, and no other has the same bytes.

    Raises ConditionFailed.
    """
    item = to_item(replace(upload, uses=0))
    pointer = table.ContentItem(*table.content(group.id, upload.size, str(upload.sha256)), file=upload.id)

    def compose(transaction: TransactWrite) -> None:
        _require_open(transaction, group)
        members.require(transaction, by)
        transaction.save(pointer, condition=table.ContentItem.pk.does_not_exist())
        transaction.save(item, condition=table.UploadItem.pk.does_not_exist())

    transactions.commit(compose)


def bring_again(
    group: groups.Group, upload: uploads.Upload, by: groups.Membership | None, **changed: Any
) -> uploads.Upload:
    """Write what changes of an upload whose bytes are brought again, as `add` does. Raises ConditionFailed."""
    kind = table.UploadItem
    actions: list[Action] = [getattr(kind, name).set(value) for name, value in changed.items()]

    def compose(transaction: TransactWrite) -> None:
        _require_open(transaction, group)
        members.require(transaction, by)
        transaction.update(_key_only(upload), actions, condition=kind.pk.exists())

    transactions.commit(compose)
    return replace(upload, **changed)


def _require_open(transaction: TransactWrite, group: groups.Group) -> None:
    same = group_items.OPEN & (table.GroupItem.created_at == group.created_at)
    transaction.condition_check(table.GroupItem, *table.group(group.id), condition=same)


def withdraw(group: groups.Group, upload: uploads.Upload, now: datetime, by: groups.Membership | None) -> None:
    """Replace an upload by its tombstone.

    Raises ConditionFailed when a run was started with it since it was read, or another form was given for it.
    """
    pointer = _same_content(upload)

    def compose(transaction: TransactWrite) -> None:
        _require_open(transaction, group)
        members.require(transaction, by)
        kind = table.UploadItem
        same = table.is_still(kind.uses, upload.uses) & table.is_still(kind.formed_at, upload.formed_at)
        transaction.delete(_key_only(upload), condition=kind.pk.exists() & same)
        if pointer:
            transaction.delete(table.ContentItem(*pointer))
        transaction.save(_tombstone(upload, max(now, upload.closes_at)))

    transactions.commit(compose)


def _tombstone(upload: uploads.Upload, due_at: datetime) -> table.WithdrawnItem:
    """That an object is to be removed, once more when nobody can post it any more."""
    key = table.withdrawn(upload.group, upload.id)
    return table.WithdrawnItem(*key, due=due.Kind.FORM, due_at=due_at)


def bury(found: Iterable[uploads.Upload]) -> None:
    """Write the tombstones of uploads whose group is closed, before they are deleted."""
    with table.WithdrawnItem.batch_write() as batch:
        for upload in found:
            batch.save(_tombstone(upload, upload.closes_at))


def delete(found: Iterable[uploads.Upload]) -> None:
    """Delete uploads of a closed group; what leads to them by their bytes is left."""
    with table.UploadItem.batch_write() as batch:
        for upload in found:
            batch.delete(_key_only(upload))


def forget(group_id: str, file: str) -> None:
    """Remove the tombstone of an upload, whose object is gone for good; harmless when repeated."""
    table.WithdrawnItem(*table.withdrawn(group_id, file)).delete()

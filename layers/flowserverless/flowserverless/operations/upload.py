"""Keeps an uploaded file: the same bytes in a group are the same file."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flowserverless import clock, settings
from flowserverless.domain import errors, groups, limits, moments, users
from flowserverless.store import bucket, reads, table, transactions, upload_items

FORM_SECONDS = 3600
ROUNDS = 10


Read = Callable[[reads.Wanted[Any]], tuple[groups.Group, reads.Found]]


@dataclass(frozen=True)
class Place:
    """Where a file is to go, and who brings it when.

    `read` reads the group once more, and something beside it; it judges the caller anew.
    """

    who: users.Caller
    group: groups.Group
    now: datetime
    read: Read


@dataclass(frozen=True)
class Sent:
    """A file as it was sent or announced."""

    name: str
    media_type: str
    size: int
    sha256: str


def file(place: Place, sent: Sent, content: bytes) -> table.UploadItem:
    """Keep a file: its row first, so that there are no bytes that nobody knows of."""
    for _ in range(ROUNDS):
        item = announced(place, sent)
        if not item.pending:
            return item
        bucket.write_upload(bucket.upload(place.group.id, item.file), content, str(item.media_type), sent.sha256)
        if upload_items.mark_arrived(item):
            item.pending = False
            return item
        # It was deleted meanwhile; its object may have been removed before it was written.
        bucket.remove([bucket.upload(place.group.id, item.file)])
    raise _busy()


def announced(place: Place, sent: Sent) -> table.UploadItem:
    """The upload with these bytes: the one that the group has, or a new one, of which the bytes are to come.

    Raises TooLarge, Forbidden, NotFound, Busy.
    """
    _check_size(sent.size)
    group = place.group
    known: str | None = None
    for _ in range(ROUNDS):
        try:
            return _known(place, group, sent, known) or _new(place, group, sent)
        except transactions.ConditionFailed:
            # There are these bytes already, or who brings them was removed from the group: both are judged anew.
            content = upload_items.wanted_content(group.id, sent.size, sent.sha256)
            group, beside = place.read(content)
            known = beside.get(content)
    raise _busy()


def _busy() -> transactions.Busy:
    return transactions.Busy("others keep changing the group's files; try again")


def _known(place: Place, group: groups.Group, sent: Sent, file: str | None) -> table.UploadItem | None:
    """The upload `file`, which has these bytes; it is called what it is called now, as people look for that.

    Its object is looked at: one that is gone, or has other bytes by now, is to come once more.
    """
    if file is None:
        return None
    try:
        item = upload_items.get(group.id, file)
    except errors.NotFound:
        return None
    changed: dict[str, Any] = {}
    if not upload_items.is_there(item):
        changed = {"pending": True, "formed_at": moments.text(place.now)}
    elif item.pending and not upload_items.mark_arrived(item):
        return None
    if (item.name, item.media_type) != (sent.name, sent.media_type):
        changed |= {"name": sent.name, "media_type": sent.media_type}
    if changed:
        upload_items.bring_again(group, item, place.who.acting(group.id), **changed)
    return item


def _new(place: Place, group: groups.Group, sent: Sent) -> table.UploadItem:
    file = clock.new_ulid()
    item = table.UploadItem(
        *table.upload(group.id, file),
        file=file,
        name=sent.name,
        size=sent.size,
        sha256=sent.sha256,
        media_type=sent.media_type,
        created_at=moments.text(place.now),
        pending=True,
    )
    upload_items.add(group, item, place.who.acting(group.id))
    return item


def _check_size(size: int) -> None:
    most = settings.current().upload_bytes
    if size > most:
        raise errors.TooLarge(
            f"the file has {size} bytes; up to {most} are taken: {limits.parameter('UploadBytes')}", "FILE_TOO_LARGE"
        )


def form(group: str, item: table.UploadItem) -> dict[str, Any]:
    size = int(item.size)
    fields = {
        "Content-Type": item.media_type,
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(str(item.sha256))).decode(),
    }
    return bucket.form(bucket.upload(group, item.file), FORM_SECONDS, size, size, **fields)

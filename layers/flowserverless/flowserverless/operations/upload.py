"""Keeps an uploaded file: the same bytes in a group are the same file."""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flowserverless import clock, settings
from flowserverless.domain import frozen, groups, uploads, users
from flowserverless.store import batch_reads, bucket, transactions, upload_items

ROUNDS = 10
BUSY = "others keep changing the group's files; try again"
Read = Callable[[batch_reads.Wanted[Any]], tuple[groups.Group, batch_reads.Found]]


@frozen.dataclass
class Place:
    """Where a file is to go, and who brings it when.

    `read` reads the group once more, and something beside it; it judges the caller anew.
    """

    who: users.Caller
    group: groups.Group
    now: datetime
    read: Read


@frozen.dataclass
class Sent:
    """A file as it was sent or announced."""

    name: str
    media_type: str
    size: int
    sha256: str


def file(place: Place, sent: Sent, content: bytes | None) -> tuple[uploads.Upload, dict[str, Any] | None]:
    """Keep a file; or without `content` make known one that is to come, and answer the form to post it with.

    There is no form for one that is there already. Raises TooLarge, Forbidden, NotFound, Busy.
    """
    if content is not None:
        return _kept(place, sent, content), None
    upload = _announced(place, sent)
    return upload, _form(upload) if upload.pending else None


def _kept(place: Place, sent: Sent, content: bytes) -> uploads.Upload:
    """The upload with its bytes: its row comes first, so that there are no bytes that nobody knows of."""

    def attempt() -> uploads.Upload:
        kept = _announced(place, sent)
        if not kept.pending:
            return kept
        bucket.write_upload(bucket.upload(kept.group, kept.id), content, str(kept.media_type), sent.sha256)
        if arrived := upload_items.mark_arrived(kept):
            return arrived
        # It was deleted meanwhile; its object may have been removed before it was written.
        bucket.remove([bucket.upload(kept.group, kept.id)])
        raise transactions.ConditionFailed

    return transactions.until_settled(attempt, ROUNDS, BUSY)


def _announced(place: Place, sent: Sent) -> uploads.Upload:
    """The upload with these bytes: the one that the group has, or a new one, of which the bytes are to come."""
    uploads.require_size(sent.size, settings.current().upload_bytes)
    group = place.group
    known: str | None = None

    def attempt() -> uploads.Upload:
        return _known(place, group, sent, known) or _new(place, group, sent)

    def look(_: int) -> None:
        # There are these bytes already, or who brings them was removed from the group: both are judged anew.
        nonlocal group, known
        content = upload_items.wanted_content(group.id, sent.size, sent.sha256)
        group, beside = place.read(content)
        known = beside.get(content)

    return transactions.until_settled(attempt, ROUNDS, BUSY, look)


def _known(place: Place, group: groups.Group, sent: Sent, file: str | None) -> uploads.Upload | None:
    """The upload `file`, which has these bytes; it is called what it is called now, as people look for that.

    Its object is looked at: one that is gone, or has other bytes by now, is to come once more.
    """
    upload = upload_items.seek(group.id, file) if file else None
    if upload is None:
        return None
    changed: dict[str, Any] = {}
    if not upload_items.is_there(upload):
        changed = {"pending": True, "formed_at": place.now}
    elif upload.pending and (upload := upload_items.mark_arrived(upload)) is None:
        return None
    if (upload.name, upload.media_type) != (sent.name, sent.media_type):
        changed |= {"name": sent.name, "media_type": sent.media_type}
    if not changed:
        return upload
    return upload_items.bring_again(group, upload, place.who.acting(group.id), **changed)


def _new(place: Place, group: groups.Group, sent: Sent) -> uploads.Upload:
    upload = uploads.Upload(
        group=group.id,
        id=clock.new_ulid(),
        name=sent.name,
        size=sent.size,
        sha256=sent.sha256,
        media_type=sent.media_type,
        created_at=place.now,
        pending=True,
    )
    upload_items.add(group, upload, place.who.acting(group.id))
    return upload


def _form(upload: uploads.Upload) -> dict[str, Any]:
    fields = {
        "Content-Type": str(upload.media_type),
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(str(upload.sha256))).decode(),
    }
    seconds = int(uploads.FORM.total_seconds())
    return bucket.form(bucket.upload(upload.group, upload.id), seconds, upload.size, upload.size, **fields)

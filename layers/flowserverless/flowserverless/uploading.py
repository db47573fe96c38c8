"""Receiving input files: small ones in the request, large ones announced here and posted to S3 with a signed form."""

import base64
import binascii
import hashlib
import io
import json
import mimetypes
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import multipart
import pydantic

from flowserverless import access, api, refusals, requests, settings, views
from flowserverless.domain import errors, limits, names, paths, runs
from flowserverless.store import files, groups, table

FORM_SECONDS = 3600
ROUNDS = 10
# Lambda takes 6 MB, in which the request stands as JSON with its headers; API Gateway would take 10 MB.
MOST_BODY = (6 << 20) - (64 << 10)
MEDIA_TYPE = re.compile(r"[a-zA-Z0-9!#$&^_.+-]{1,100}/[a-zA-Z0-9!#$&^_.+-]{1,100}")
# A file name in the form of RFC 5987: its encoding, a language, and its bytes written with per cent signs.
EXTENDED = re.compile(r";\s*filename\*\s*=\s*\"?(utf-8|iso-8859-1)'[^']*'([^;\"\s]*)", re.IGNORECASE)
# What the OpenAPI document says of the body, which is read here and not by a typed parameter.
BODY = {"multipart/form-data": "file", "application/json": "AnnounceUpload"}


@dataclass(frozen=True)
class _Place:
    """Where a file is to go, and who brings it when."""

    who: access.Caller
    group: table.GroupItem
    now: datetime


@dataclass(frozen=True)
class _Sent:
    """A file as it was sent or announced."""

    name: str
    media_type: str
    size: int
    sha256: str


def receive(resolver: api.Resolver, who: access.Caller, group: str, now: datetime) -> views.UploadHandle:
    """Take the request's file, or its announcement; the same bytes in a group are the same file, whatever their name.

    Raises Forbidden, NotFound, InvalidRequest, TooLarge.
    """
    found, _ = access.group(who, group)
    place = _Place(who, found, now)
    event = resolver.current_event
    text = event.body or ""
    if len(text) > MOST_BODY:
        detail = f"the request is larger than {MOST_BODY} bytes as the service gets it, where a file is a third larger"
        advice = "announce the file as JSON {name, size, sha256} instead, and post it to S3 with the form in the answer"
        raise errors.TooLarge(f"{detail}; {advice}", "REQUEST_TOO_LARGE")
    kind, options = multipart.parse_options_header(str(event.headers.get("content-type") or ""))
    body = _body(text, bool(event.is_base64_encoded))
    if kind == "multipart/form-data":
        name, media_type, content = _part(body, options.get("boundary", ""))
        sent = _Sent(name, media_type, len(content), hashlib.sha256(content).hexdigest())
        return _store(place, sent, content)
    if kind == "application/json":
        return _announce(place, body)
    raise errors.InvalidRequest("send multipart/form-data with a part `file`, or JSON {name, size, sha256}")


def _body(text: str, encoded: bool) -> bytes:
    if not encoded:
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise errors.InvalidRequest("the request's body is not what it says it is") from None


def _part(body: bytes, boundary: str) -> tuple[str, str, bytes]:
    """Name, media type and bytes of the part `file` (flowServ's server) or `files` (flowServ's client)."""
    try:
        size = len(body)
        # Kept in memory, where the request is anyway.
        parser = multipart.MultipartParser(io.BytesIO(body), boundary, size, memory_limit=size, spool_limit=size)
        named = [(_sent_name(part), part) for part in parser.parts()]
    except (multipart.MultipartError, UnicodeDecodeError, LookupError) as error:
        raise errors.InvalidRequest(f"the form cannot be read: {_unreadable(error, boundary)}") from None
    sent = [(name, part) for name, part in named if name is not None]
    if len(sent) > 1:
        raise errors.InvalidRequest(f"the form has {len(sent)} files; send a request for each")
    if not sent or sent[0][1].name not in ("file", "files"):
        raise errors.InvalidRequest("the form has no part `file` with a file name")
    ((text, part),) = sent
    name = _file_name(text)
    stated = part.content_type or ""
    return name, stated if MEDIA_TYPE.fullmatch(stated) else _media_type(name), part.raw


def _sent_name(part: multipart.MultipartPart) -> str | None:
    """The file name of a part; some clients send one that is not ASCII in the form of RFC 5987 only."""
    if part.filename is not None:
        return str(part.filename)
    found = EXTENDED.search(part.disposition)
    return urllib.parse.unquote_to_bytes(found[2]).decode(found[1]) if found else None


def _unreadable(error: Exception, boundary: str) -> str:
    """What is wrong with a form; the parser's own words are for those who know how it reads."""
    if not boundary:
        return "the Content-Type has to name the boundary between its parts"
    if isinstance(error, UnicodeDecodeError) or any(isinstance(each, UnicodeDecodeError) for each in error.args):
        return "what stands before a part, such as the file's name, has to be in UTF-8"
    if isinstance(error, multipart.ParserLimitReached):
        return "it has too many parts, or too much stands before one of them"
    if "header" in str(error):
        return 'before each part has to stand Content-Disposition: form-data; name="..."'
    return "its parts have to stand between the boundary that the Content-Type names, to the end"


def _file_name(text: str) -> str:
    """The name without the folders that some clients send with it. Raises InvalidRequest for what names no file."""
    name = re.split(r"[/\\]", text)[-1].strip()
    if name in ("", ".", ".."):
        raise errors.InvalidRequest("the file has no name")
    try:
        names.check(name)
    except ValueError as error:
        raise errors.InvalidRequest(f"the file's name cannot be used: {error}") from None
    if len(name.encode()) > paths.LONGEST_NAME:
        raise errors.InvalidRequest(f"the file's name has more than {paths.LONGEST_NAME} bytes")
    return name


def _media_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _store(place: _Place, sent: _Sent, content: bytes) -> views.UploadHandle:
    """Keep a file: its row first, so that there are no bytes that nobody knows of."""
    for _ in range(ROUNDS):
        item = _item(place, sent)
        if not item.pending:
            return views.upload(item)
        files.write_upload(files.upload(place.group.group, item.file), content, str(item.media_type), sent.sha256)
        if groups.mark_arrived(item):
            item.pending = False
            return views.upload(item)
        # It was deleted meanwhile; its object may have been removed before it was written.
        files.remove([files.upload(place.group.group, item.file)])
    raise _busy()


def _item(place: _Place, sent: _Sent) -> table.UploadItem:
    """The upload with these bytes: the one that the group has, or a new one, of which the bytes are to come.

    Raises TooLarge, Forbidden, NotFound, Busy.
    """
    _check_size(sent.size)
    group = place.group
    found: Mapping[table.Key, Any] = {}
    for _ in range(ROUNDS):
        try:
            return _known(place, group, sent, found) or _new(place, group, sent)
        except table.ConditionFailed:
            # There are these bytes already, or who brings them was removed from the group: both are judged anew.
            content = table.content(group.group, sent.size, sent.sha256)
            group, found = access.group(place.who, group.group, content)
    raise _busy()


def _busy() -> table.Busy:
    return table.Busy("others keep changing the group's files; try again")


def _known(
    place: _Place, group: table.GroupItem, sent: _Sent, found: Mapping[table.Key, Any]
) -> table.UploadItem | None:
    """The upload that has these bytes; it is called what it is called now, because that is what people look for.

    Its object is looked at: one that is gone, or has other bytes by now, is to come once more.
    """
    pointer = next((item for item in found.values() if isinstance(item, table.ContentItem)), None)
    if pointer is None:
        return None
    try:
        item = groups.upload(group.group, pointer.file)
    except errors.NotFound:
        return None
    changed: dict[str, Any] = {}
    if not groups.is_there(item):
        changed = {"pending": True, "formed_at": runs.timestamp(place.now)}
    elif item.pending and not groups.mark_arrived(item):
        return None
    if (item.name, item.media_type) != (sent.name, sent.media_type):
        changed |= {"name": sent.name, "media_type": sent.media_type}
    if changed:
        groups.bring_again(group, item, access.acting(place.who, group.group), **changed)
    return item


def _new(place: _Place, group: table.GroupItem, sent: _Sent) -> table.UploadItem:
    file = api.new_ulid()
    item = table.UploadItem(
        *table.upload(group.group, file),
        file=file,
        name=sent.name,
        size=sent.size,
        sha256=sent.sha256,
        media_type=sent.media_type,
        created_at=runs.timestamp(place.now),
        pending=True,
    )
    groups.add_upload(group, item, access.acting(place.who, group.group))
    return item


def _check_size(size: int) -> None:
    most = settings.number("UPLOAD_BYTES", 5_000_000_000)
    if size > most:
        raise errors.TooLarge(
            f"the file has {size} bytes; up to {most} are taken: {limits.parameter('UploadBytes')}", "FILE_TOO_LARGE"
        )


def _announce(place: _Place, body: bytes) -> views.UploadHandle:
    """Make known a file that is to come; of one that is there already the answer has no form."""
    try:
        announced = requests.AnnounceUpload.model_validate(api.json_value(body.decode()))
    except json.JSONDecodeError as error:
        raise errors.InvalidRequest(refusals.no_json(error.msg, error.doc, error.pos)) from None
    except pydantic.ValidationError as error:
        raise errors.InvalidRequest(refusals.sentences(error.errors(), above=("body",))) from None
    name = _file_name(announced.name)
    item = _item(place, _Sent(name, _media_type(name), announced.size, announced.sha256.lower()))
    return views.upload(item, _form(place.group.group, item) if item.pending else None)


def _form(group: str, item: table.UploadItem) -> dict[str, Any]:
    size = int(item.size)
    fields = {
        "Content-Type": item.media_type,
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(str(item.sha256))).decode(),
    }
    return files.form(files.upload(group, item.file), FORM_SECONDS, size, size, **fields)

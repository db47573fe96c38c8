"""Receiving input files: small ones in the request, large ones announced here and posted to S3 with a signed form."""

import base64
import binascii
import hashlib
import io
import mimetypes
from datetime import datetime

import multipart
import pydantic

from flowserverless import api, requests, settings, views
from flowserverless.domain import errors, runs
from flowserverless.store import files, table

FORM_SECONDS = 3600
# What the OpenAPI document says of the body, which is read here and not by a typed parameter.
BODY = {"multipart/form-data": "file", "application/json": "AnnounceUpload"}


def receive(resolver: api.Resolver, group: str, now: datetime) -> views.UploadHandle:
    """Take the request's file, or its announcement. Raises InvalidRequest, TooLarge."""
    event = resolver.current_event
    kind, options = multipart.parse_options_header(str(event.headers.get("content-type") or ""))
    body = _body(event.body or "", bool(event.is_base64_encoded))
    if kind == "multipart/form-data":
        name, media_type, content = _part(body, options.get("boundary", ""))
        return _store(group, name, media_type, content, now)
    if kind == "application/json":
        return _announce(group, body, now)
    raise errors.InvalidRequest("send multipart/form-data with a part `file`, or JSON {name, size, sha256}")


def _body(text: str, encoded: bool) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if encoded else text.encode("latin-1", errors="strict")
    except binascii.Error:
        raise errors.InvalidRequest("the request's body is not what it says it is") from None
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape")


def _part(body: bytes, boundary: str) -> tuple[str, str | None, bytes]:
    """Name, media type and bytes of the part `file` (flowServ's server) or `files` (flowServ's client)."""
    try:
        size = len(body)
        parser = multipart.MultipartParser(io.BytesIO(body), boundary, size, memory_limit=size, spool_limit=size)
        part = parser.get("file") or parser.get("files")
    except multipart.MultipartError as error:
        raise errors.InvalidRequest(f"the form cannot be read: {error}") from None
    if part is None or not (part.filename or "").strip():
        raise errors.InvalidRequest("the form has no part `file` with a file name")
    return part.filename[-1000:], part.content_type or None, part.raw


def _store(group: str, name: str, media_type: str | None, content: bytes, now: datetime) -> views.UploadHandle:
    _check_size(len(content))
    guessed = media_type if media_type and len(media_type) < 200 else mimetypes.guess_type(name)[0]
    item = _item(group, name, len(content), hashlib.sha256(content).hexdigest(), now)
    item.media_type = guessed or "application/octet-stream"
    files.write(files.upload(group, item.file), content, item.media_type)
    item.save(condition=table.UploadItem.pk.does_not_exist())
    return views.upload(item)


def _check_size(size: int) -> None:
    most = settings.number("UPLOAD_BYTES", 5_000_000_000)
    if size > most:
        raise errors.TooLarge(f"the file has {size} bytes; this installation takes up to {most}", "FILE_TOO_LARGE")


def _item(group: str, name: str, size: int, sha256: str, now: datetime) -> table.UploadItem:
    file = api.new_ulid()
    return table.UploadItem(
        *table.upload(group, file),
        file=file,
        name=name,
        size=size,
        sha256=sha256,
        created_at=runs.timestamp(now),
    )


def _announce(group: str, body: bytes, now: datetime) -> views.UploadHandle:
    try:
        announced = requests.AnnounceUpload.model_validate_json(body)
    except pydantic.ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise errors.InvalidRequest(faults[:2000]) from None
    _check_size(announced.size)
    item = _item(group, announced.name, announced.size, announced.sha256.lower(), now)
    item.media_type = mimetypes.guess_type(announced.name)[0] or "application/octet-stream"
    item.pending = True
    item.save(condition=table.UploadItem.pk.does_not_exist())
    checksum = base64.b64encode(bytes.fromhex(announced.sha256)).decode()
    fields = {
        "Content-Type": item.media_type,
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": checksum,
    }
    form = files.form(files.upload(group, item.file), FORM_SECONDS, announced.size, announced.size, **fields)
    return views.upload(item, form)

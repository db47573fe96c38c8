"""Receiving input files: small ones in the request, large ones announced here and posted to S3 with a signed form."""

import base64
import binascii
import hashlib
import io
import json
import mimetypes
import re
from datetime import datetime

import multipart
import pydantic

from flowserverless import api, refusals, requests, settings, views
from flowserverless.domain import errors, names, paths, runs
from flowserverless.store import files, table

FORM_SECONDS = 3600
# Lambda takes 6 MB, in which the request stands as JSON with its headers; API Gateway would take 10 MB.
MOST_BODY = (6 << 20) - (64 << 10)
MEDIA_TYPE = re.compile(r"[a-zA-Z0-9!#$&^_.+-]{1,100}/[a-zA-Z0-9!#$&^_.+-]{1,100}")
# What the OpenAPI document says of the body, which is read here and not by a typed parameter.
BODY = {"multipart/form-data": "file", "application/json": "AnnounceUpload"}


def receive(resolver: api.Resolver, group: str, now: datetime) -> views.UploadHandle:
    """Take the request's file, or its announcement. Raises InvalidRequest, TooLarge."""
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
        return _store(group, name, media_type, content, now)
    if kind == "application/json":
        return _announce(group, body, now)
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
        sent = [part for part in parser.parts() if part.filename is not None]
    except (multipart.MultipartError, UnicodeDecodeError, LookupError) as error:
        raise errors.InvalidRequest(f"the form cannot be read: {error}") from None
    if len(sent) > 1:
        raise errors.InvalidRequest(f"the form has {len(sent)} files; send a request for each")
    if not sent or sent[0].name not in ("file", "files"):
        raise errors.InvalidRequest("the form has no part `file` with a file name")
    (part,) = sent
    name = _file_name(part.filename)
    stated = part.content_type or ""
    return name, stated if MEDIA_TYPE.fullmatch(stated) else _media_type(name), part.raw


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


def _store(group: str, name: str, media_type: str, content: bytes, now: datetime) -> views.UploadHandle:
    _check_size(len(content))
    item = _item(group, name, len(content), hashlib.sha256(content).hexdigest(), now)
    item.media_type = media_type
    files.write(files.upload(group, item.file), content, media_type)
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
        announced = requests.AnnounceUpload.model_validate(api.json_value(body.decode()))
    except json.JSONDecodeError as error:
        raise errors.InvalidRequest(refusals.no_json(error.msg, error.doc, error.pos)) from None
    except pydantic.ValidationError as error:
        raise errors.InvalidRequest(refusals.sentences(error.errors(), above=("body",))) from None
    _check_size(announced.size)
    item = _item(group, _file_name(announced.name), announced.size, announced.sha256.lower(), now)
    item.media_type = _media_type(item.name)
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

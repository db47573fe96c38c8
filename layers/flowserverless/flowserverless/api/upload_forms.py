"""Reads the body of an upload: a form with the file, or JSON that announces a large one."""

import base64
import binascii
import hashlib
import io
import json
import mimetypes
import re
import urllib.parse

import multipart
import pydantic

from flowserverless.api import received, refusals, requests
from flowserverless.domain import errors, names, paths
from flowserverless.operations import upload

# Lambda takes 6 MB, in which the request stands as JSON with its headers; API Gateway would take 10 MB.
MAX_BODY = (6 << 20) - (64 << 10)
MEDIA_TYPE = re.compile(r"[a-zA-Z0-9!#$&^_.+-]{1,100}/[a-zA-Z0-9!#$&^_.+-]{1,100}")
# A file name in the form of RFC 5987: its encoding, a language, and its bytes written with per cent signs.
EXTENDED = re.compile(r";\s*filename\*\s*=\s*\"?(utf-8|iso-8859-1)'[^']*'([^;\"\s]*)", re.IGNORECASE)
# What the OpenAPI document says of the body, which is read here and not by a typed parameter.
BODY = {"multipart/form-data": "file", "application/json": "AnnounceUpload"}


def read(event: received.Json) -> tuple[upload.Sent, bytes | None]:
    """The request's file, or what is announced of one that is to come. Raises InvalidRequest, TooLarge."""
    text = event.get("body") or ""
    if len(text) > MAX_BODY:
        detail = f"the request is larger than {MAX_BODY} bytes as the service gets it, where a file is a third larger"
        advice = "announce the file as JSON {name, size, sha256} instead, and post it to S3 with the form in the answer"
        raise errors.TooLarge(f"{detail}; {advice}", errors.REQUEST_TOO_LARGE)
    kind, options = multipart.parse_options_header(event["headers"].get("Content-Type", ""))
    body = _body(text, bool(event.get("isBase64Encoded")))
    if kind == "multipart/form-data":
        name, media_type, content = _part(body, options.get("boundary", ""))
        return upload.Sent(name, media_type, len(content), hashlib.sha256(content).hexdigest()), content
    if kind == received.JSON:
        return _announced(body), None
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
    if len(name.encode()) > paths.MAX_NAME_LENGTH:
        raise errors.InvalidRequest(f"the file's name has more than {paths.MAX_NAME_LENGTH} bytes")
    return name


def _media_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _announced(body: bytes) -> upload.Sent:
    try:
        announced = requests.AnnounceUpload.model_validate(received.json_value(body.decode()))
    except json.JSONDecodeError as error:
        raise errors.InvalidRequest(refusals.no_json(error.msg, error.doc, error.pos)) from None
    except pydantic.ValidationError as error:
        raise errors.InvalidRequest(refusals.sentences(error.errors(), above=("body",))) from None
    name = _file_name(announced.name)
    return upload.Sent(name, _media_type(name), announced.size, announced.sha256.lower())

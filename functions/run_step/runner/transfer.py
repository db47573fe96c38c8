"""Transfers files over presigned URLs and presigned POSTs, with nothing but the standard library.

Every request is tried again with a growing pause when the other side is overloaded or out of reach. Connections
are kept open between requests, so hundreds of small files do not mean hundreds of handshakes. Nothing here knows
credentials, and no error text repeats a URL: its signature would let the reader in.
"""

import base64
import contextlib
import errno
import hashlib
import http.client
import json
import math
import mimetypes
import os
import random
import re
import secrets
import stat
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import IO, Any, TypeVar

from runner import manifest

PAUSES = (0.1, 0.4, 1.6, 4.0)
TIMEOUT_SECONDS = 20.0
WORKERS = 8
CHUNK = 256 * 1024
MAX_REDIRECTS = 3
NOT_FOUND = 404
MOVED = frozenset({301, 302, 307, 308})
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
TYPES = {
    ".ipynb": "application/x-ipynb+json",
    ".log": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
ENCODINGS = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}

T = TypeVar("T")

# Open connections that are idle, by scheme and server.
_idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}


class Refused(Exception):
    """The other side said no, or could not be reached at all; `status` is 0 then, `code` is S3's own word."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def is_missing(self) -> bool:
        """Whether there may be no such object: S3 answers 403 where the signer may not list the bucket."""
        return self.status in (403, NOT_FOUND)

    @property
    def is_too_large(self) -> bool:
        """Whether it was the size that was refused."""
        return self.status == 413 or self.code == "EntityTooLarge"

    @property
    def reason(self) -> str:
        """The code of the reason with which a step ends over it."""
        return "OUTPUT_TOO_LARGE" if self.is_too_large else "SYSTEM_ERROR"


class Changed(Refused):
    """What came is not what the trusted side knows of the file: its size or its SHA-256 differs."""

    reason = "INPUT_CHANGED"


class Deleted(Refused):
    """A file that a group uploaded is gone."""

    reason = "FILE_DELETED"


class _Again(Exception):
    """Worth another attempt."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        self.refusal = Refused(message, status, code)


def document(url: str) -> Any:
    """The JSON document at a URL."""
    try:
        return json.loads(content(url, math.inf))
    except ValueError:
        raise Refused("what is there is not JSON") from None


def content(url: str, max_bytes: float) -> bytes:
    """What is at a URL; more than `max_bytes` bytes are refused."""

    def attempt() -> bytes:
        found = bytearray()
        with _answer(url, TIMEOUT_SECONDS) as response:
            for chunk in _content(response):
                found += chunk
                if len(found) > max_bytes:
                    raise Refused(f"there are more than {max_bytes} bytes")
        return bytes(found)

    return _persist(attempt)


def exists(url: str, timeout: float) -> bool:
    """Whether there is an object at a URL now; any doubt counts as no, since the caller will ask again."""
    try:
        with _answer(url, timeout) as response:
            for _ in _content(response):
                pass
    except (Refused, _Again):
        return False
    return True


def download(url: str, path: str, size: int | None, sha256: str | None = None) -> bytes:
    """Fetch a URL into a file and return its SHA-256. Raises Changed when another size or digest is known."""

    def attempt() -> bytes:
        digest = hashlib.sha256()
        received = 0
        with _answer(url, TIMEOUT_SECONDS) as response, open(path, "wb") as file:
            for chunk in _content(response):
                digest.update(chunk)
                received += len(chunk)
                file.write(chunk)
        if size is not None and received != size:
            raise Changed(f"{received} bytes instead of {size}")
        if sha256 is not None and digest.hexdigest() != sha256:
            raise Changed(f"the SHA-256 {digest.hexdigest()} instead of {sha256}")
        return digest.digest()

    return _persist(attempt)


def post_bytes(form: manifest.Form, key: str, content: bytes, media_type: str) -> None:
    """Upload some bytes as one object."""
    _persist(lambda: _post(form, key, media_type, len(content), iter([content])))


def post_file(form: manifest.Form, key: str, path: str) -> None:
    """Upload a file as one object; a symbolic link or anything else that is no file is an error."""

    def attempt() -> None:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused("not a regular file")
            _post(form, key, media_type(key), status.st_size, _chunks(file, status.st_size))

    _persist(attempt)


def plain(error: Exception) -> str:
    """What went wrong, without the place in this machine that an error of the system names."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)


def media_type(name: str) -> str:
    """The media type that a file's name suggests."""
    guess, encoding = mimetypes.guess_type(name, strict=False)
    if encoding:
        return ENCODINGS.get(encoding, "application/octet-stream")
    return TYPES.get(os.path.splitext(name)[1].lower()) or guess or "application/octet-stream"


def in_parallel(action: Callable[[T], None], items: Sequence[T], stop: threading.Event) -> None:
    """Do the action for every item, until `stop` is set; the first exception ends it and is raised."""
    failed = threading.Event()

    def guarded(item: T) -> None:
        if failed.is_set() or stop.is_set():
            return
        try:
            action(item)
        except BaseException:
            failed.set()
            raise

    if items:
        with futures.ThreadPoolExecutor(min(WORKERS, len(items))) as pool:
            for outcome in [pool.submit(guarded, item) for item in items]:
                outcome.result()


def hang_up() -> None:
    """Close all idle connections: they would not survive the time until the next step anyway."""
    for connections in _idle.values():
        _close(connections)


def _persist(attempt: Callable[[], T]) -> T:
    for pause in PAUSES:
        try:
            return attempt()
        except _Again:
            time.sleep(pause * random.uniform(0.5, 1.0))
    try:
        return attempt()
    except _Again as last:
        raise last.refusal from None


@contextlib.contextmanager
def _answer(url: str, timeout: float, redirects: int = MAX_REDIRECTS) -> Iterator[http.client.HTTPResponse]:
    """The answer to a GET, if it is a good one."""
    with _exchange(url, timeout) as (connection, target):
        connection.request("GET", target)
        response = connection.getresponse()
        if response.status not in MOVED or not redirects:
            _check(response)
            yield response
            return
        location = urllib.parse.urljoin(url, response.headers.get("Location", ""))
        response.read(CHUNK)
    with _answer(location, timeout, redirects - 1) as response:
        yield response


def _post(form: manifest.Form, key: str, kind: str, size: int, chunks: Iterator[bytes]) -> None:
    boundary = secrets.token_hex(16)
    fields = {**form.fields, "key": key}
    if _may_name_type(form.fields):
        fields.setdefault("Content-Type", kind)
    disposition = "Content-Disposition: form-data; name="
    parts = [f'--{boundary}\r\n{disposition}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    # S3 ignores every field behind the file, so the file is the last part.
    parts.append(f'--{boundary}\r\n{disposition}"file"; filename="file"\r\nContent-Type: {kind}\r\n\r\n')
    before, after = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
    with _exchange(form.url, TIMEOUT_SECONDS) as (connection, target):
        connection.putrequest("POST", target)
        connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
        connection.putheader("Content-Length", str(len(before) + size + len(after)))
        connection.endheaders()
        # A server that refuses does not wait for the rest; its answer is still there to be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(before)
            for chunk in chunks:
                connection.send(chunk)
            connection.send(after)
        response = connection.getresponse()
        _check(response)
        response.read(CHUNK)


def _may_name_type(fields: Mapping[str, str]) -> bool:
    """Whether a signed policy knows of content types: S3 refuses every field that its policy does not mention."""
    policy = fields.get("policy") or fields.get("Policy")
    return policy is None or b"content-type" in base64.b64decode(policy).lower()


@contextlib.contextmanager
def _exchange(url: str, timeout: float) -> Iterator[tuple[http.client.HTTPConnection, str]]:
    """A connection for one request and the request target; whatever goes wrong on a connection ends it."""
    parts = urllib.parse.urlsplit(url)
    idle = _idle.setdefault((parts.scheme, parts.netloc), [])
    connection = _connection(parts, idle, timeout)
    try:
        yield connection, urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        if isinstance(error, OSError) and error.filename is not None:
            raise
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise Refused("there is no room for it here") from None
        # Those that were opened at the same time are likely to be dead as well.
        _close(idle)
        raise _Again(f"no answer ({type(error).__name__})") from None
    except BaseException:
        connection.close()
        raise
    if connection.sock:
        idle.append(connection)


def _connection(
    server: urllib.parse.SplitResult, idle: list[http.client.HTTPConnection], timeout: float
) -> http.client.HTTPConnection:
    try:
        connection = idle.pop()
    except IndexError:
        make = http.client.HTTPSConnection if server.scheme == "https" else http.client.HTTPConnection
        return make(server.netloc, timeout=timeout)
    connection.sock.settimeout(timeout)
    return connection


def _close(connections: list[http.client.HTTPConnection]) -> None:
    # Other threads take some of them at the same time.
    with contextlib.suppress(IndexError):
        while True:
            connections.pop().close()


def _check(response: http.client.HTTPResponse) -> None:
    if response.status // 100 == 2:
        return
    body = response.read(CHUNK).decode("utf-8", "replace")
    code = next(iter(re.findall(r"<Code>([\w.]{1,64})</Code>", body)), "")
    message = next(iter(re.findall(r"<Message>([^<]{1,200})</Message>", body)), "")
    text = ": ".join(filter(None, (f"{response.status} {code or response.reason}", message)))
    if response.status in TRANSIENT or code == "RequestTimeout":
        raise _Again(text, response.status, code)
    raise Refused(text, response.status, code)


def _content(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body piece by piece; the library itself does not mind when the end of it never comes."""
    while chunk := response.read(CHUNK):
        yield chunk
    if response.length:
        raise _Again("the answer broke off")


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    remaining = size
    while remaining:
        chunk = file.read(min(CHUNK, remaining))
        if not chunk:
            raise Refused("the file became shorter while it was read")
        remaining -= len(chunk)
        yield chunk

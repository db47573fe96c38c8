"""Files over signed URLs: GET to disk and S3 POST forms from disk, with nothing but the standard library.

Every request is tried again with a growing pause when the other side is overloaded or out of reach. Connections are
kept per thread, so hundreds of small files do not mean hundreds of handshakes. Nothing here knows credentials, and
no error text repeats a URL: its signature would let the reader in.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import mimetypes
import os
import random
import re
import secrets
import stat
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import IO, Any, TypeVar

import manifests

PAUSES = (0.1, 0.4, 1.6, 4.0)
TIMEOUT_SECONDS = 20.0
WORKERS = 8
CHUNK = 256 * 1024
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
TYPES = {
    ".ipynb": "application/x-ipynb+json",
    ".log": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
ENCODINGS = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}

T = TypeVar("T")


class Refused(Exception):
    """The other side said no, or could not be reached at all; `status` is 0 then, `code` is S3's own word."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def too_large(self) -> bool:
        """Whether it was the size that was refused."""
        return self.status == 413 or self.code == "EntityTooLarge"


class _Again(Exception):
    """Worth another attempt."""

    def __init__(self, refusal: Refused) -> None:
        self.refusal = refusal


_idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
"""Open connections nobody uses at the moment, by scheme and server."""


def document(url: str) -> Any:
    """The JSON document at a URL."""

    def attempt() -> Any:
        with _answer("GET", url, TIMEOUT_SECONDS) as response:
            return json.loads(b"".join(_content(response)))

    try:
        return _persist(attempt)
    except ValueError:
        raise Refused("what is there is not JSON") from None


def exists(url: str, timeout: float) -> bool:
    """Whether there is an object at a URL now; any doubt counts as no, the caller asks again soon."""
    try:
        with _answer("GET", url, timeout) as response:
            list(_content(response))
        return True
    except (Refused, _Again):
        return False


def download(url: str, path: str, size: int | None) -> bytes:
    """Fetch a URL into a new file and return the SHA-256 of it; anything but `size` bytes (if known) is refused."""

    def attempt() -> bytes:
        digest = hashlib.sha256()
        received = 0
        with _answer("GET", url, TIMEOUT_SECONDS) as response, open(path, "wb") as file:
            for chunk in _content(response):
                digest.update(chunk)
                received += len(chunk)
                file.write(chunk)
        if size is not None and received != size:
            raise Refused(f"{received} bytes instead of {size}")
        return digest.digest()

    return _persist(attempt)


def post_bytes(form: manifests.Form, key: str, content: bytes, content_type: str) -> None:
    """Upload some bytes as one object."""
    _persist(lambda: _post(form, key, content_type, len(content), iter([content])))


def post_file(form: manifests.Form, key: str, path: str) -> int:
    """Upload a file as one object, never reading through a symbolic link; returns its size."""

    def attempt() -> int:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused("not a regular file")
            _post(form, key, content_type(key), status.st_size, _chunks(file, status.st_size))
            return status.st_size

    return _persist(attempt)


def content_type(name: str) -> str:
    """The media type that a file's name suggests."""
    extension = os.path.splitext(name)[1].lower()
    guess, encoding = mimetypes.guess_type(name, strict=False)
    if encoding:
        return ENCODINGS.get(encoding, "application/octet-stream")
    return TYPES.get(extension) or guess or "application/octet-stream"


def hang_up() -> None:
    """Close all idle connections: they would not survive the time until the next step anyway."""
    for connections in _idle.values():
        while connections:
            connections.pop().close()


def in_parallel(action: Callable[[T], None], items: Sequence[T], stop: threading.Event) -> None:
    """Do the action for every item; the first exception ends it, so does `stop` (silently)."""
    failed = threading.Event()

    def guarded(item: T) -> None:
        if failed.is_set() or stop.is_set():
            return
        try:
            action(item)
        except BaseException:
            failed.set()
            raise

    if not items:
        return
    with futures.ThreadPoolExecutor(min(WORKERS, len(items))) as pool:
        for outcome in [pool.submit(guarded, item) for item in items]:
            outcome.result()


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
def _answer(method: str, url: str, timeout: float, redirects: int = 3) -> Iterator[http.client.HTTPResponse]:
    """The response to a request without a body, if it is 200."""
    with _exchange(url, timeout) as (connection, target):
        connection.request(method, target)
        response = connection.getresponse()
        if response.status in (301, 302, 307, 308) and redirects:
            location = urllib.parse.urljoin(url, response.headers.get("Location", ""))
            response.read(CHUNK)
        else:
            _check(response)
            yield response
            return
    with _answer(method, location, timeout, redirects - 1) as response:
        yield response


def _post(form: manifests.Form, key: str, media_type: str, size: int, chunks: Iterator[bytes]) -> None:
    boundary = secrets.token_hex(16)
    fields = {**form.fields, "key": key, "Content-Type": media_type}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    # S3 ignores every field behind the file, so the file is the last part.
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
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


@contextlib.contextmanager
def _exchange(url: str, timeout: float) -> Iterator[tuple[http.client.HTTPConnection, str]]:
    """A connection for one request and the request target; whatever goes wrong on it closes it."""
    parts = urllib.parse.urlsplit(url)
    server = (parts.scheme, parts.netloc)
    idle = _idle.setdefault(server, [])
    try:
        connection = idle.pop()
        connection.sock.settimeout(timeout)
    except IndexError:
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = make(parts.netloc, timeout=timeout)
    finished = False
    try:
        yield connection, urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        finished = True
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise Refused("there is no room for it here") from None
        raise _Again(Refused(f"no answer ({type(error).__name__})")) from None
    finally:
        if finished and connection.sock:
            idle.append(connection)
        else:
            connection.close()


def _check(response: http.client.HTTPResponse) -> None:
    if response.status // 100 == 2:
        return
    body = response.read(CHUNK).decode("utf-8", "replace")
    codes = re.findall(r"<Code>([\w.]{1,64})</Code>", body)
    code = codes[0] if codes else ""
    messages = re.findall(r"<Message>([^<]{1,200})</Message>", body)
    text = ": ".join(filter(None, (f"{response.status} {code or response.reason}", *messages[:1])))
    refusal = Refused(text, response.status, code)
    if response.status in TRANSIENT or code == "RequestTimeout":
        raise _Again(refusal)
    raise refusal


def _content(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body piece by piece; the library itself does not mind when the end of it never comes."""
    while chunk := response.read(CHUNK):
        yield chunk
    if response.length:
        raise _Again(Refused("the answer broke off"))


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    remaining = size
    while remaining:
        chunk = file.read(min(CHUNK, remaining))
        if not chunk:
            raise Refused("the file became shorter while it was read")
        remaining -= len(chunk)
        yield chunk

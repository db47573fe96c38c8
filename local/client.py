"""The service's HTTP interface for a Python program, with nothing but the standard library."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import urllib.error
import urllib.request
import uuid
from typing import Any

TIMEOUT_SECONDS = 60


class Refused(Exception):
    """The service answered with an error, or not at all; the message says to what, and what it said."""


@dataclasses.dataclass(frozen=True)
class Service:
    """The service at `url`, called as the user of `token` (None: a stranger). Paths are relative to `url`."""

    url: str
    token: str | None = None

    def as_user(self, token: str) -> Service:
        """The same service, called with a token that `users/login` gave."""
        return dataclasses.replace(self, token=token)

    def get(self, path: str) -> Any:
        """The JSON at a path. Raises Refused, as all the calls do."""
        return self._json("GET", path)

    def post(self, path: str, body: Any) -> Any:
        """Send JSON and read JSON."""
        return self._json("POST", path, json.dumps(body).encode(), "application/json")

    def upload(self, path: str, file: pathlib.Path) -> Any:
        """Send a file as the multipart part `file`, as a browser's form does."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file.name}"\r\n\r\n'
        body = head.encode() + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        return self._json("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def download(self, path: str, target: pathlib.Path) -> pathlib.Path:
        """Save what a path leads to. The service redirects to S3, which sends the file itself."""
        with self._open("GET", path) as answer, target.open("wb") as stream:
            shutil.copyfileobj(answer, stream)
        return target

    def _json(self, method: str, path: str, body: bytes | None = None, media_type: str | None = None) -> Any:
        with self._open(method, path, body, media_type) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _open(self, method: str, path: str, body: bytes | None = None, media_type: str | None = None) -> Any:
        url = f"{self.url.rstrip('/')}/{path}"
        request = urllib.request.Request(url, body, method=method)  # noqa: S310  whoever gives a URL means it
        if media_type:
            request.add_header("Content-Type", media_type)
        if self.token:
            # Unredirected: the token is for the service. S3 refuses requests with two kinds of credentials.
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.reason}: {_detail(error.read())}") from None
        except OSError as error:
            raise Refused(f"{method} {path}: no answer from {self.url}: {error}") from None


def _detail(body: bytes) -> str:
    """What an error body says: `detail` of problem+json, otherwise its beginning."""
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body[:500].decode(errors="replace").strip()

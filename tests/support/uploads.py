"""A file of a group, and what a test does with it: send, announce, start a run with it, download, delete."""

import hashlib
from datetime import timedelta

import pytest

from flowserverless import clock

CONTENT = b"id,label\n1,7\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
BOUNDARY = "x-boundary"
PLACE = ("/uploads/{groupId}/files", {"groupId": "bench"})
FILE = {"name": "data", "dtype": "file", "target": "data.csv"}


def form(content=CONTENT, part="file", filename='filename="data.csv"', media_type="text/csv"):
    """A request's body and headers, as a browser sends a file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; {filename}\r\n'
    kind = f"Content-Type: {media_type}\r\n" if media_type else ""
    body = f"{head}{kind}\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return {"body": body, "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}}


def send(world, status=201, **sent):
    return world.call("upload_file", "POST", *PLACE, status=status, **sent).json


def announce(world, name="data.csv", size=SIZE, sha256=DIGEST, **options):
    return send(world, body={"name": name, "size": size, "sha256": sha256}, **options)


def start(world, file, status=None):
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": file}}}]
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"}, status)
    return world.call(*path, body={"arguments": arguments}).json


@pytest.fixture
def later(monkeypatch):
    """Lets hours pass."""
    begun = clock.now()

    def wait(hours):
        monkeypatch.setattr(clock, "now", lambda: begun + timedelta(hours=hours))

    return wait


def listed(world):
    return [one["id"] for one in world.call("list_uploads", "GET", *PLACE).json["files"]]

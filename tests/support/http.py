"""Calling the deployed service as different people do, and waiting for what they wait for."""

import http.client
import io
import json
import time
import urllib.parse
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local import stack

PASSWORD = "correct horse"
POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Reply:
    """What the service answered; redirects are not followed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Visitor:
    """Somebody at the service: a stranger, or with a token whoever it belongs to."""

    url: str
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request; `body` is sent as JSON unless it is bytes. Header names are written with underscores."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        return request(method, f"{self.url}/{path}", body, sent)

    def get(self, path: str) -> Any:
        """The JSON of a GET that has to succeed."""
        reply = self.call("GET", path)
        assert reply.status == 200, (reply.status, reply.body)
        return reply.json

    def follow(self, path: str) -> Reply:
        """What a redirect leads to, without the token."""
        reply = self.call("GET", path)
        assert reply.status == 302, (reply.status, reply.body)
        return request("GET", reply.headers["location"])

    def upload(self, group: str, name: str, content: bytes, part: str = "file") -> str:
        """Upload a file as a form; its id."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        reply = self.call("POST", f"uploads/{group}/files", body, Content_Type=kind)
        assert reply.status == 201, (reply.status, reply.body)
        identifier: str = reply.json["id"]
        return identifier

    def start(self, group: str, **arguments: Any) -> str:
        """Start a run; its id."""
        named = [{"name": name, "value": value} for name, value in arguments.items()]
        reply = self.call("POST", f"groups/{group}/runs", {"arguments": named})
        assert reply.status == 201, (reply.status, reply.body)
        identifier: str = reply.json["id"]
        return identifier

    def group(self, workflow: str, name: str | None = None) -> str:
        """Create a group; its id."""
        reply = self.call("POST", f"workflows/{workflow}/groups", {"name": name or f"group {uuid.uuid4().hex[:8]}"})
        assert reply.status == 201, (reply.status, reply.body)
        identifier: str = reply.json["id"]
        return identifier

    def finished(self, run: str, seconds: float = 120) -> Any:
        """The run once it has ended."""
        return until(
            lambda: self.get(f"runs/{run}"), lambda handle: handle["state"] not in ("PENDING", "RUNNING"), seconds
        )


def request(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """One HTTP request; redirects are not followed."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    open_connection = connection(parts.netloc, timeout=60)
    try:
        open_connection.request(
            method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, dict(headers or {})
        )
        answer = open_connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        open_connection.close()


def until(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 60) -> Any:
    """What is seen as soon as it is good; fails with the last sight when that takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if good(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen!r} after {seconds} s"
        time.sleep(POLL_SECONDS)


def register(service: Visitor, name: str | None = None) -> Visitor:
    """A new user who has signed in."""
    user = name or f"user-{uuid.uuid4().hex[:8]}"
    reply = service.call("POST", "users/register", {"username": user, "password": PASSWORD, "verify": False})
    assert reply.status == 201, (reply.status, reply.body)
    return sign_in(service, user)


def sign_in(service: Visitor, name: str) -> Visitor:
    """A user who signs in once more."""
    reply = service.call("POST", "users/login", {"username": name, "password": PASSWORD})
    assert reply.status == 200, (reply.status, reply.body)
    return replace(service, token=reply.json["token"])


def organiser(service: Visitor, deployed: stack.Stack) -> Visitor:
    """A new user whom the operators made an organiser; the role is in tokens from then on."""
    name = f"organiser-{uuid.uuid4().hex[:8]}"
    register(service, name)
    deployed.client("cognito-idp").admin_add_user_to_group(
        UserPoolId=deployed.user_pool_id, Username=name, GroupName="organisers"
    )
    return sign_in(service, name)


def publish(deployed: stack.Stack, template: Mapping[str, Any], workflow: str | None = None, **files: str) -> str:
    """Publish a template, written as a dictionary, with static files; the workflow's id."""
    identifier = workflow or f"w{uuid.uuid4().hex[:8]}"
    report = drop(deployed, identifier, package(template, **files))
    assert report["status"] in ("accepted", "unchanged"), report
    return identifier


def package(template: Mapping[str, Any], **files: str) -> bytes:
    """A package with a template and static files, whose names are written with `__` for `/` and `_dot_` for `.`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        manifest = {"name": template.get("name", "a test"), "specfile": "workflow.json"}
        archive.writestr("flowserv.json", json.dumps(manifest))
        archive.writestr("workflow.json", json.dumps(template))
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return buffer.getvalue()


def drop(deployed: stack.Stack, workflow: str, content: bytes) -> Any:
    """Drop a package into the bucket and wait for the report."""
    s3 = deployed.client("s3")
    key = f"inbox/workflows/{workflow}.zip"
    report = f"{key}.report.json"
    s3.delete_object(Bucket=deployed.bucket, Key=report)
    s3.put_object(Bucket=deployed.bucket, Key=key, Body=content)
    until(
        lambda: s3.list_objects_v2(Bucket=deployed.bucket, Prefix=report)["KeyCount"],
        bool,
    )
    return json.load(s3.get_object(Bucket=deployed.bucket, Key=report)["Body"])


def step(name: str, *commands: str, **declared: Any) -> dict[str, Any]:
    """A container step with a Python image."""
    return {"name": name, "action": {"environment": "python:3.13", "commands": list(commands)}, **declared}

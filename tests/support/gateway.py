"""Requests as API Gateway hands them to functions (REST API, proxy integration), and answers as callers see them.

answer = gateway.answer(invoke("get_run", gateway.event("GET", "/runs/{runId}", {"runId": run}, user=ADA)))
assert (answer.status, answer.json["state"]) == (200, "PENDING")
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACCOUNT = "123456789012"
API = "a1b2c3d4e5"
STAGE = "v1"
REQUEST = "7f0d8c1e-2f5b-4a0e-9d53-0b6a4c9e1d11"


@dataclass(frozen=True)
class Person:
    """Somebody whom the authorizer recognised."""

    id: str
    name: str
    roles: tuple[str, ...] = ()
    token: str = "5c1a7f0e-0d1f-4d7c-8f43-6f2f2b0a9c10"
    expires: int = 4_102_444_800


ADA = Person("0ada0000-0000-4000-8000-000000000001", "ada")
BOB = Person("0b0b0000-0000-4000-8000-000000000002", "bob")
ORGANISER = Person("00990000-0000-4000-8000-000000000009", "olga", ("organisers",))


@dataclass(frozen=True)
class Answer:
    """What a caller gets; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body of a JSON or problem+json answer."""
        assert self.headers["content-type"].split(";")[0] in ("application/json", "application/problem+json")
        return json.loads(self.body)


def answer(returned: Mapping[str, Any]) -> Answer:
    """Read what a function returned as API Gateway does."""
    body = returned.get("body") or ""
    several = {name: values[0] for name, values in returned.get("multiValueHeaders", {}).items()}
    headers = {**returned.get("headers", {}), **several}
    return Answer(
        returned["statusCode"],
        {name.lower(): value for name, value in headers.items()},
        base64.b64decode(body) if returned.get("isBase64Encoded") else body.encode(),
    )


def event(
    method: str,
    resource: str,
    path_parameters: Mapping[str, str] | None = None,
    query: Mapping[str, str | Sequence[str]] | None = None,
    body: Any = None,
    user: Person | None = None,
    headers: Mapping[str, str] | None = None,
    problem: str | None = "not logged in",
) -> dict[str, Any]:
    """A request to `resource`, which is written as in the template (`/runs/{runId}`).

    A text as `body` is sent as it is, bytes as binary, anything else as JSON. Without `user` the authorizer said
    `problem`; with `problem` None as well, the operation is one for which it is not asked.
    """
    path = resource.format_map(path_parameters or {})
    sent = {"Accept": "*/*", "Host": f"{API}.execute-api.us-east-1.amazonaws.com", **(headers or {})}
    encoded, text = _body(body)
    if text is not None and "content-type" not in {name.lower() for name in sent}:
        sent["Content-Type"] = "application/json"
    several = {name: [one] if isinstance(one, str) else list(one) for name, one in (query or {}).items()}
    context = {
        "accountId": ACCOUNT,
        "apiId": API,
        "domainName": sent["Host"],
        "httpMethod": method,
        "identity": {"sourceIp": "203.0.113.7", "userAgent": "test"},
        "path": f"/{STAGE}{path}",
        "protocol": "HTTP/1.1",
        "requestId": REQUEST,
        "requestTime": "23/Nov/2026:05:59:54 +0000",
        "requestTimeEpoch": 1795413594511,
        "resourceId": "x1y2z3",
        "resourcePath": resource,
        "stage": STAGE,
    }
    if user or problem is not None:
        context["authorizer"] = _authorizer(user, problem or "")
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": dict(path_parameters or {}) or None,
        "stageVariables": None,
        "requestContext": context,
        "body": text,
        "isBase64Encoded": encoded,
    }


def _authorizer(user: Person | None, problem: str) -> dict[str, str]:
    if user is None:
        return {"principalId": "anonymous", "user": "", "name": "", "roles": "", "problem": problem}
    return {
        "principalId": user.id,
        "user": user.id,
        "name": user.name,
        "roles": ",".join(user.roles),
        "problem": "",
        "tokenId": user.token,
        "expires": str(user.expires),
    }


def _body(body: Any) -> tuple[bool, str | None]:
    if isinstance(body, bytes):
        return True, base64.b64encode(body).decode()
    if body is None or isinstance(body, str):
        return False, body
    return False, json.dumps(body)

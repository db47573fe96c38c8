"""Writes the OpenAPI document of the whole API from the code of its functions: `make openapi`."""

import importlib.util
import json
import os
import pathlib
import sys
from typing import Any

PROJECT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = json.loads((PROJECT / "docs" / "examples.json").read_text("utf-8"))
DOCUMENT = PROJECT / "functions" / "get_openapi" / "openapi.json"
DESCRIPTION = """\
Reproducible benchmarks as a service: organisers publish workflows, groups upload inputs and start runs, and every
run's metrics enter the workflow's leaderboard. The routes and handles are those of flowServ's REST API.

Every error is an RFC 9457 problem; `message` repeats its `detail`. Sign in with `POST /users/login` and send the
token as `Authorization: Bearer ...`.

HEAD is answered wherever people GET something. What GET answers has an `ETag`; sent back as `If-None-Match`, it saves
the body of an answer that is still the same (304). Listings take `limit` and `cursor`; `next` in an answer is the
following cursor."""
TAG = {"ETag": {"description": "A digest of the body", "schema": {"type": "string"}}}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags of answers that the caller has",
    "schema": {"type": "string"},
}
PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457)",
    "required": ["type", "title", "status", "detail", "message", "code"],
    "properties": {
        "type": {"type": "string", "description": "`urn:flowserverless:problem:` and the code"},
        "title": {"type": "string", "description": "The status in words"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What went wrong, for people"},
        "message": {"type": "string", "description": "The same as `detail`, for flowServ's clients"},
        "code": {"type": "string", "description": "What went wrong, for programs; see docs/problems.md"},
        "run": {"type": "string", "description": "The run that it is about, where it is about another than was named"},
    },
}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token that POST /users/login answers"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "api_key", "description": "The same, as flowServ sends it"},
}


def document() -> dict[str, Any]:
    """The document, from the resolvers of all functions."""
    os.environ.setdefault("TABLE_NAME", "documented")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    sys.path.insert(0, str(PROJECT / "layers" / "flowserverless"))
    from aws_lambda_powertools.event_handler.openapi import OpenAPIMerge
    from aws_lambda_powertools.event_handler.openapi.models import Server

    merge = OpenAPIMerge(
        title="flowserverless",
        version=_version(),
        openapi_version="3.1.0",
        description=DESCRIPTION,
        servers=[Server(url="/v1")],
        on_conflict="error",
    )
    routes = {}
    for app in apps().values():
        merge.add_schema(app.resolver.get_openapi_schema(security_schemes=_schemes()))
        routes |= {route.operation: (app, route) for route in app.routes}
    found: dict[str, Any] = json.loads(merge.get_openapi_json_schema())
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["securitySchemes"] = SCHEMES
    for unused in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path in found["paths"].values():
        for method, operation in path.items():
            app, route = routes[operation["operationId"]]
            _finish(method, operation, route.methods)
            _add_bodies(operation, app.bodies, components["schemas"])
            _describe(operation, route.act.__doc__)
        for operation in path.values():
            _share_problems(operation["responses"], components.setdefault("responses", {}))
    for name, example in EXAMPLES["schemas"].items():
        components["schemas"][name]["examples"] = [example]
    return found


def apps() -> dict[str, Any]:
    """What each operation says of itself that people call: its sample event is a request, and not the authorizer's."""
    samples = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((PROJECT / "events").glob("*.json"))}
    names = [name for name, event in samples.items() if "httpMethod" in event and "methodArn" not in event]
    return {name: _module(PROJECT / "functions" / name / "app.py").app for name in names}


def _module(path: pathlib.Path) -> Any:
    specification = importlib.util.spec_from_file_location(f"documented_{path.parent.name}", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _describe(operation: dict[str, Any], text: str) -> None:
    """The first sentence of a handler's docstring is the summary, the rest the description."""
    summary, _, more = " ".join(text.split()).partition(". ")
    operation["summary"] = summary.rstrip(".")
    operation.pop("description", None)
    if more:
        operation["description"] = more


def _schemes() -> dict[str, Any]:
    from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn, HTTPBearer

    return {"bearer": HTTPBearer(), "apiKey": APIKey(name="api_key", in_=APIKeyIn.header)}


def _finish(method: str, operation: dict[str, Any], methods: tuple[str, ...]) -> None:
    from flowserverless.api import openapi

    responses = operation["responses"]
    # Beside every GET it would only be in the way; the document's description says that it is answered.
    if "HEAD" in methods:
        operation["x-head"] = True
    # Powertools documents the status that it would answer with; this service answers 400.
    responses.pop("422", None)
    if method in ("post", "put"):
        responses["415"] = openapi.problem(415)
    if method == "get" and "200" in responses:
        responses["200"]["headers"] = TAG
        responses["304"] = {"description": "Not Modified", "headers": TAG}
        operation.setdefault("parameters", []).append(IF_NONE_MATCH)
    for status, response in responses.items():
        for kind, content in response.get("content", {}).items():
            if kind == "application/problem+json":
                content["example"] = _problem(int(status))
            elif kind in EXAMPLES["answers"].get(operation["operationId"], {}):
                content["example"] = EXAMPLES["answers"][operation["operationId"]][kind]


def _add_bodies(operation: dict[str, Any], bodies: dict[str, str], schemas: dict[str, Any]) -> None:
    """Describe what the operation reads by itself and not by a typed parameter."""
    for kind, part in bodies.items():
        body = operation.setdefault("requestBody", {"required": True, "content": {}})
        body["content"][kind] = _form(part) if kind.startswith("multipart") else {"schema": _schema(part, schemas)}


def _share_problems(responses: dict[str, Any], shared: dict[str, Any]) -> None:
    """Let operations refer to what they refuse alike."""
    for status, response in responses.items():
        if "application/problem+json" in response.get("content", {}):
            name = response["description"].replace(" ", "")
            shared[name] = response
            responses[status] = {"$ref": f"#/components/responses/{name}"}


def _problem(status: int) -> Any:
    from http import HTTPStatus

    from flowserverless.api import problems

    code, detail = EXAMPLES["problems"][str(status)]
    return json.loads(problems.problem(HTTPStatus(status), detail, code).body)


def _form(part: str) -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    example = {part: "Ada\nGrace\n"}
    return {"schema": {"type": "object", "required": [part], "properties": {part: file}}, "example": example}


def _schema(model: str, schemas: dict[str, Any]) -> dict[str, str]:
    from flowserverless.api import requests

    schemas[model] = getattr(requests, model).model_json_schema()
    return {"$ref": f"#/components/schemas/{model}"}


def _version() -> str:
    import tomllib

    version: str = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    return version


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), "utf-8")

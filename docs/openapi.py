"""Writes the OpenAPI document of the whole API from the code of its functions: `make openapi`."""

import importlib.util
import json
import os
import pathlib
import sys
from typing import Any

PROJECT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = PROJECT / "functions" / "get_openapi" / "openapi.json"
DESCRIPTION = """\
Reproducible benchmarks as a service: organisers publish workflows, groups upload inputs and start runs, and every
run's metrics enter the workflow's leaderboard. The routes and handles are those of flowServ's REST API.

Every error is an RFC 9457 problem; `message` repeats its `detail`. Sign in with `POST /users/login` and send the
token as `Authorization: Bearer ...`."""
PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457)",
    "required": ["type", "title", "status", "detail", "message", "code"],
    "properties": {
        "type": {"type": "string", "description": "`about:blank#` and the code"},
        "title": {"type": "string", "description": "The status in words"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What went wrong, for people"},
        "message": {"type": "string", "description": "The same as `detail`, for flowServ's clients"},
        "code": {"type": "string", "description": "What went wrong, for programs; see docs/problems.md"},
    },
    "example": {
        "type": "about:blank#RUN_IS_FINAL",
        "title": "Conflict",
        "status": 409,
        "detail": "run g1-01M83R72TGVQWEX2T39N6CF6QA is SUCCESS already",
        "message": "run g1-01M83R72TGVQWEX2T39N6CF6QA is SUCCESS already",
        "code": "RUN_IS_FINAL",
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
    for path in sorted((PROJECT / "functions").glob("*/app.py")):
        resolver = getattr(_module(path), "app", None)
        if resolver is not None:
            merge.add_schema(resolver.get_openapi_schema(security_schemes=_schemes()))
    found: dict[str, Any] = json.loads(merge.get_openapi_json_schema())
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["securitySchemes"] = SCHEMES
    for unused in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path in found["paths"].values():
        for operation in path.values():
            _finish(operation, components["schemas"])
    return found


def _module(path: pathlib.Path) -> Any:
    source = path.read_text("utf-8")
    if "\napp = api.app(" not in source:
        return None
    specification = importlib.util.spec_from_file_location(f"documented_{path.parent.name}", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _schemes() -> dict[str, Any]:
    from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn, HTTPBearer

    return {"bearer": HTTPBearer(), "apiKey": APIKey(name="api_key", in_=APIKeyIn.header)}


def _finish(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    # Powertools documents the status that it would answer with; this service answers 400.
    operation["responses"].pop("422", None)
    for kind, part in operation.pop("x-request-body", {}).items():
        body = operation.setdefault("requestBody", {"required": True, "content": {}})
        body["content"][kind] = {"schema": _form(part) if kind.startswith("multipart") else _schema(part, schemas)}


def _form(part: str) -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {"type": "object", "required": [part], "properties": {part: file}}


def _schema(model: str, schemas: dict[str, Any]) -> dict[str, str]:
    from flowserverless import requests

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

"""Describes an operation in the OpenAPI document beyond its types: statuses, who may call it, bodies."""

from http import HTTPStatus
from typing import Any

from flowserverless.api import routes

Json = dict[str, Any]
SCHEMES: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
TYPES = {str: "string", dict: "object"}


def described(route: routes.Route, tag: str, access: routes.Access) -> Json:
    """What the resolver is to know of a route."""
    refusals = {400, 404, 500, 503, *(() if access == "anybody" else (401, 403)), *route.refuses}
    others = {status: {"description": meaning, "content": {}} for status, meaning in (route.also or {}).items()}
    problems = {status: problem(status) for status in sorted(refusals)}
    return {
        "operation_id": route.operation,
        "tags": [tag],
        "status_code": route.answers,
        "responses": {route.answers: _success(route), **others, **problems},
        "security": _security(access),
    }


def _success(route: routes.Route) -> Json:
    described: Json = {"description": HTTPStatus(route.answers).phrase}
    if route.answers in (204, 302) or route.content:
        described["content"] = {kind: _shown(shown) for kind, shown in (route.content or {}).items()}
    if route.answers == 302:
        described["headers"] = {"Location": {"description": "A signed URL", "schema": {"type": "string"}}}
    return described


def _shown(shown: Any) -> Json:
    return {"schema": {"type": TYPES[shown]}} if shown in TYPES else {"model": shown}


def _security(access: routes.Access) -> list[dict[str, list[str]]]:
    if access == "anybody":
        return []
    return [*SCHEMES, {}] if access == "anybody, more to users" else SCHEMES


def problem(status: int) -> Json:
    """What the document says of a refusal."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": schema}},
    }

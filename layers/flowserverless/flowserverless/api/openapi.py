"""What the OpenAPI document says of an operation beyond its types: statuses, who may call it, bodies."""

from http import HTTPStatus

from flowserverless.api import app


def operation(
    name: str,
    status: int,
    *refusals: int,
    tag: str,
    public: bool = False,
    optional: bool = False,
    body: app.Json | None = None,
    content: app.Json | None = None,
    also: dict[int, str] | None = None,
    head: bool = True,
) -> app.Json:
    """What the OpenAPI document says of a route beyond its types: the statuses it answers and who may call it.

    `optional` operations answer everybody and more to those who are signed in; `body` and `content` describe
    requests and answers that are not JSON, `also` names further statuses that are no refusals. A GET without `head`
    has no route for HEAD, because answering it makes something.
    """
    closed = () if public or optional else (401, 403)
    problems = sorted({400, 404, 500, 503, *closed, *((401, 403) if optional else ()), *refusals})
    success: app.Json = {"description": HTTPStatus(status).phrase}
    if status in (204, 302) or content:
        success["content"] = content or {}
    if status == 302:
        success["headers"] = {"Location": {"description": "A signed URL", "schema": {"type": "string"}}}
    others = {code: {"description": meaning, "content": {}} for code, meaning in (also or {}).items()}
    schemes: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
    described: app.Json = {
        "operation_id": name,
        "tags": [tag],
        "status_code": status,
        "responses": {status: success, **others, **{code: described_problem(code) for code in problems}},
        "security": [] if public else [*schemes, {}] if optional else schemes,
    }
    described["openapi_extensions"] = {"x-request-body": body or {}, "x-head": head}
    return described


def described_problem(status: int) -> app.Json:
    """What the OpenAPI document says of a refusal."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": schema}},
    }

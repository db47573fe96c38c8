"""The one way in for HTTP: a resolver that validates, knows the caller, and answers every error as problem+json."""

import base64
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, NoReturn

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
    ResponseValidationError,
)
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from aws_lambda_powertools.metrics import MetricUnit

from flowserverless import credentials, refusals
from flowserverless.domain import errors, faults, ids

STATUS: dict[type[errors.Problem], HTTPStatus] = {
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.OverQuota: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
JSON = "application/json"
# The headers in which callers say who they are; what caches keep of one caller is not for another.
TOKENS = "Authorization, api_key"
EXPOSED = "ETag, Link, Location, X-Request-Id, X-Next-Cursor, Retry-After"
LONGEST_ID = 500
# Where JSON is wrong, when Python does not say it.
NOWHERE = -1
# What API Gateway makes of bytes that are no UTF-8, so that texts which differ would become the same.
REPLACED = "\N{REPLACEMENT CHARACTER}"
NOT_TEXT = "the body is not UTF-8, in which JSON has to be sent; U+FFFD itself is written \\ufffd"
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
# What caches and pages that link here add to a URL; it means nothing to any operation.
ADDED = re.compile(r"_|utm_\w+|fbclid|gclid")
WHOLE = re.compile(r"-?[0-9]+")
RETRY_SECONDS = 5

logger = Logger(service="api")
metrics = Metrics(namespace="flowserverless", service="api")

GroupId = Annotated[str, Path(description="Identifier of a group")]
RunId = Annotated[str, Path(description="Identifier of a run")]
UserId = Annotated[str, Path(description="Identifier or name of a user")]
WorkflowId = Annotated[str, Path(description="Identifier of a workflow")]
FileId = Annotated[str, Path(description="Identifier of a file, as its listing shows it")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many to show at most")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next` of the page before")]
Order = Annotated[str | None, Query(alias="orderBy", max_length=2000, description="col[:asc|desc],...")]
All = Annotated[str | None, Query(alias="includeAll", description="Every run, not only the best of each group")]
Accept = Annotated[str | None, Header()]

Answer = Response[Any]

Strict = dict[str, Any]


def _no_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no value of JSON", name, NOWHERE)


def json_value(text: str) -> Any:
    """Parse a body; whatever Python's parser raises for strange input becomes a JSONDecodeError."""
    if text.startswith(BYTE_ORDER_MARK):
        raise json.JSONDecodeError("it begins with a byte order mark, which has to be left out", text, NOWHERE)
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise json.JSONDecodeError("it is nested too deeply", text, NOWHERE) from None
    except ValueError:
        # The only other thing that Python refuses, because reading it takes the square of its length.
        raise json.JSONDecodeError("a number has too many digits", text, NOWHERE) from None


def problem(status: HTTPStatus, detail: str, code: str, **named: str) -> Response[Any]:
    """An RFC 9457 body; `message` repeats the detail for flowServ's clients, which read only that.

    `named` are further members: the ids of what the problem is about.
    """
    body = {
        "type": f"about:blank#{code}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "message": detail,
        "code": code,
        **named,
    }
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="flowserverless"'
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return Response(int(status), "application/problem+json", json.dumps(body, ensure_ascii=False), headers)


def operation(
    name: str,
    status: int,
    *refusals: int,
    tag: str,
    public: bool = False,
    optional: bool = False,
    body: Strict | None = None,
    content: Strict | None = None,
    also: dict[int, str] | None = None,
    head: bool = True,
) -> Strict:
    """What the OpenAPI document says of a route beyond its types: the statuses it answers and who may call it.

    `optional` operations answer everybody and more to those who are signed in; `body` and `content` describe
    requests and answers that are not JSON, `also` names further statuses that are no refusals. A GET without `head`
    has no route for HEAD, because answering it makes something.
    """
    closed = () if public or optional else (401, 403)
    problems = sorted({400, 404, 500, 503, *closed, *((401, 403) if optional else ()), *refusals})
    success: Strict = {"description": HTTPStatus(status).phrase}
    if status in (204, 302) or content:
        success["content"] = content or {}
    if status == 302:
        success["headers"] = {"Location": {"description": "A signed URL", "schema": {"type": "string"}}}
    others = {code: {"description": meaning, "content": {}} for code, meaning in (also or {}).items()}
    schemes: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
    described: Strict = {
        "operation_id": name,
        "tags": [tag],
        "status_code": status,
        "responses": {status: success, **others, **{code: described_problem(code) for code in problems}},
        "security": [] if public else [*schemes, {}] if optional else schemes,
    }
    described["openapi_extensions"] = {"x-request-body": body or {}, "x-head": head}
    return described


def described_problem(status: int) -> Strict:
    """What the OpenAPI document says of a refusal."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": schema}},
    }


class Resolver(APIGatewayRestResolver):
    """A resolver that knows whether strangers may call it, whether who calls matters, and which bodies it takes."""

    public = False
    personal = False
    takes: tuple[str, ...] = ()


def app(public: bool = False, personal: bool = False, takes: tuple[str, ...] = (JSON,)) -> Resolver:
    """A resolver for one operation; closed to callers without a valid token unless `public`.

    A `personal` one is open to all and says more to who is signed in.
    """
    resolver = Resolver(enable_validation=True, json_body_deserializer=json_value)
    resolver.public, resolver.personal, resolver.takes = public, personal, takes
    resolver.use(middlewares=[_only_known])

    resolver.exception_handler(errors.Problem)(_refused)
    resolver.exception_handler(faults.Faults)(_outdated)
    resolver.exception_handler(RequestValidationError)(_invalid)
    resolver.exception_handler(UnicodeDecodeError)(_not_text)
    resolver.exception_handler(ResponseValidationError)(_broken)
    resolver.exception_handler(Exception)(_broken)
    resolver.not_found(_unknown)
    return resolver


def _refused(error: errors.Problem) -> Response[Any]:
    kind = next((known for known in type(error).__mro__ if known in STATUS), None)
    status = STATUS[kind] if kind else HTTPStatus.SERVICE_UNAVAILABLE
    return problem(status, error.detail, error.code, **error.named)


def _outdated(found: faults.Faults) -> Response[Any]:
    """A version that was accepted when it was published, and would not be any more: more names are reserved, say."""
    first = "; ".join(f"{fault.place} {fault.message}" for fault in found.faults[:3])[:1000]
    detail = f"the workflow has to be published anew, because this service does not take it as it is: {first}"
    return problem(HTTPStatus.CONFLICT, detail, "WORKFLOW_OUTDATED")


def _only_known(resolver: Resolver, go_on: Callable[[Resolver], Answer]) -> Answer:
    """Refuse what the operation does not understand: a misspelt filter, a body where none is read."""
    event, understood = resolver.current_event.raw_event, resolver.context["_route"].dependant
    _check_query(event, [field.alias for field in understood.query_params])
    if event["httpMethod"] == "DELETE":
        _check_no_body(resolver.current_event.decoded_body)
    return go_on(resolver)


def _check_query(event: Strict, known: list[str]) -> None:
    given = event.get("multiValueQueryStringParameters") or {}
    unknown = [name for name in given if name not in known and not ADDED.fullmatch(name)]
    if unknown:
        raise errors.InvalidRequest(f"the query {refusals.unknown('parameter', unknown, known)}")
    # Python would take digits of any script, blanks around them and lines between them.
    if "limit" in known and not WHOLE.fullmatch(*given.get("limit", ["0"])):
        raise errors.InvalidRequest("the query parameter 'limit' has to be a whole number")


def _check_once(event: Strict) -> None:
    given = event.get("multiValueQueryStringParameters") or {}
    repeated = [name for name, values in given.items() if len(values) > 1 and not ADDED.fullmatch(name)]
    if repeated:
        raise errors.InvalidRequest(f"the query has the parameter '{repeated[0][:100]}' several times; send it once")


def _check_no_body(text: str | None) -> None:
    # Pages made for flowServ send an empty object.
    try:
        empty = not (text or "").strip() or json_value(str(text)) in ({}, None)
    except json.JSONDecodeError:
        empty = False
    if not empty:
        raise errors.InvalidRequest("a deletion takes no body, or an empty object")


def _invalid(error: RequestValidationError) -> Response[Any]:
    return problem(HTTPStatus.BAD_REQUEST, refusals.sentences(error.errors(), error.body), "INVALID_REQUEST")


def _not_text(_: UnicodeDecodeError) -> Response[Any]:
    return problem(HTTPStatus.BAD_REQUEST, NOT_TEXT, "INVALID_REQUEST")


def _unknown(_: NotFoundError) -> Response[Any]:
    return problem(HTTPStatus.NOT_FOUND, "there is no such operation", "NO_SUCH_OPERATION")


def _broken(error: Exception) -> Response[Any]:
    logger.exception("unexpected error", exc_info=error)
    metrics.add_metric("UnexpectedErrors", MetricUnit.Count, 1)
    metrics.flush_metrics()
    detail = "this is our mistake; the request id in the answer leads to the log"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, "INTERNAL_ERROR")


def authorizer(resolver: Resolver) -> dict[str, str]:
    """What the authorizer said of the caller: user, name, roles, problem; {} where none was asked."""
    return _authorizer(resolver.current_event.raw_event)


def _authorizer(event: Strict) -> dict[str, str]:
    return event.get("requestContext", {}).get("authorizer") or {}


def handler(resolver: Resolver) -> Callable[[Strict, Any], Strict]:
    """The Lambda handler of an operation: logs with the request's id, counts, and never raises to API Gateway."""

    def handle(event: Strict, context: Any) -> Strict:
        request = str(event.get("requestContext", {}).get("requestId", ""))
        method = event.get("httpMethod")
        logger.set_correlation_id(request)
        try:
            answer = _answer(resolver, event, context)
        except Exception as error:
            answer = _plain(_broken(error))
        headers = answer.setdefault("multiValueHeaders", {})
        if answer["statusCode"] == HTTPStatus.OK and method in ("GET", "HEAD"):
            if resolver.personal:
                headers["Vary"] = [TOKENS]
            _tag(answer, event, "no-cache" if resolver.public and not _authorizer(event).get("user") else "no-store")
        if answer["statusCode"] in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            answer["body"] = ""
            headers.pop("Content-Type", None)
        if method == "HEAD":
            answer |= {"body": "", "isBase64Encoded": False}
        headers["X-Request-Id"] = [request]
        headers["X-Content-Type-Options"] = ["nosniff"]
        headers["Strict-Transport-Security"] = ["max-age=63072000"]
        headers["Access-Control-Allow-Origin"] = [os.environ.get("ALLOWED_ORIGIN", "*")]
        headers["Access-Control-Expose-Headers"] = [EXPOSED]
        headers.setdefault("Cache-Control", ["no-store"])
        logger.info("answered", extra={"status": answer["statusCode"], "operation": event.get("resource")})
        return answer

    return handle


def _tag(answer: Strict, event: Strict, cache: str) -> None:
    """Name what is answered by a digest of its body; to a caller who has the same already, only say so."""
    headers = answer["multiValueHeaders"]
    tag = f'"{hashlib.sha256((answer["body"] or "").encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'
    headers["ETag"] = [tag]
    # What is everybody's may be kept, but not shown again without asking. What is somebody's is kept nowhere.
    headers.setdefault("Cache-Control", [cache])
    known = ",".join(_headers(event, "if-none-match"))
    if known.strip() == "*" or tag in re.findall(r'"[^"]*"', known):
        answer["statusCode"] = int(HTTPStatus.NOT_MODIFIED)


def _answer(resolver: Resolver, event: Strict, context: Any) -> Strict:
    said = _authorizer(event)
    try:
        if not resolver.public and not said.get("user"):
            # Before anything else is looked at, so that strangers learn nothing about what is valid.
            raise credentials.refusal(said.get("problem", ""))
        if any(len(part) > LONGEST_ID for part in (event.get("pathParameters") or {}).values()):
            raise errors.NotFound(f"an id has at most {LONGEST_ID} characters")
        _check_once(event)
        read = _readable(resolver, event)
    except errors.Problem as refusal:
        return _plain(_refused(refusal))
    return resolver.resolve(read, context)


def _readable(resolver: Resolver, event: Strict) -> Strict:
    """The request as the resolver reads it: HEAD as GET, and the name of a media type it takes in small letters.

    Raises UnsupportedType and InvalidRequest. Powertools would read a form like JSON, and any web page may send one
    without asking the browser. A body without a type is taken for JSON where that is taken.
    """
    method = "GET" if event["httpMethod"] == "HEAD" else event["httpMethod"]
    headers = {name: value for name, value in (event.get("headers") or {}).items() if name.lower() != "content-type"}
    stated = (_headers(event, "content-type") or [""])[-1].strip()
    name, mark, options = stated.partition(";")
    kind = name.strip().lower()
    if event.get("body") and method in ("POST", "PUT"):
        if kind not in resolver.takes and (stated or resolver.takes != (JSON,)):
            named = f"this is '{stated[:100]}'" if stated else "the request has no Content-Type"
            raise errors.UnsupportedType(f"the body has to be {' or '.join(resolver.takes)}; {named}")
        headers["Content-Type"] = JSON if kind in ("", JSON) else f"{kind}{mark}{options}"
    if method == "DELETE" or headers.get("Content-Type") == JSON:
        event = {**event, "body": _text(event), "isBase64Encoded": False}
    return {**event, "httpMethod": method, "headers": headers, "path": _route(event)}


def _text(event: Strict) -> str | None:
    """The body as a text. Raises InvalidRequest where it was none, also where API Gateway has made one of it."""
    body = event.get("body")
    try:
        text = base64.b64decode(body, validate=True).decode() if body and event.get("isBase64Encoded") else body
    except ValueError:
        # What is no base64, and what is no UTF-8.
        raise errors.InvalidRequest(NOT_TEXT) from None
    if REPLACED in (text or ""):
        raise errors.InvalidRequest(NOT_TEXT)
    return text


def _route(event: Strict) -> str:
    """The path without what a custom domain maps to the API, which API Gateway leaves in the path."""
    path, resource = str(event["path"]), str(event["resource"])
    parts = path.rstrip("/").split("/")
    return "/" if resource == "/" else "/" + "/".join(parts[-resource.count("/") :])


def _headers(event: Strict, name: str) -> list[str]:
    several = event.get("multiValueHeaders") or {one: [value] for one, value in (event.get("headers") or {}).items()}
    return [value for one, values in several.items() if one.lower() == name for value in values]


def is_head(resolver: Resolver) -> bool:
    """Whether only the headers of the answer are asked for; a signed URL is for one method only."""
    context: Strict = resolver.current_event.raw_event.get("requestContext", {})
    return context.get("httpMethod") == "HEAD"


def _plain(response: Response[Any]) -> Strict:
    headers = {"Content-Type": [str(response.content_type)]}
    headers |= {name: [str(value)] for name, value in response.headers.items()}
    return {
        "statusCode": response.status_code,
        "body": response.body,
        "multiValueHeaders": headers,
        "isBase64Encoded": False,
    }


def as_accepted(accept: str | None, body: Any, as_csv: Callable[[Any], str]) -> Answer:
    """JSON, or for callers who accept text/csv a table in UTF-8 with a header row and the cursor in a header."""
    headers = {"Vary": "Accept"}
    if not _prefers_csv(accept or ""):
        return Response(int(HTTPStatus.OK), JSON, body, headers)
    headers |= {"X-Next-Cursor": body["next"]} if "next" in body else {}
    return Response(int(HTTPStatus.OK), "text/csv; charset=utf-8; header=present", as_csv(body), headers)


def _prefers_csv(accept: str) -> bool:
    """Whether CSV is named, and JSON is not named as better (RFC 9110, 12.5.1)."""
    weights = {}
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[kind] = float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 0.0
    return weights.get("text/csv", 0.0) > 0 and weights["text/csv"] >= weights.get(JSON, 0.0)


def redirect(url: str) -> Response[Any]:
    """Send the caller to a signed URL; nothing may keep it, because it is a key to the file until it expires."""
    return Response(int(HTTPStatus.FOUND), None, "", {"Location": url, "Cache-Control": "no-store"})


def now() -> datetime:
    """The present moment in UTC; operations read the clock here and hand it to the domain."""
    return datetime.now(UTC)


def new_ulid() -> str:
    """A fresh ULID."""
    return ids.ulid(time.time_ns() // 1_000_000, secrets.token_bytes(10))

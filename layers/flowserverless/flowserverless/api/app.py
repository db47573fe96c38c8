"""The one way in for HTTP: a resolver that validates, knows the caller, and answers every error as problem+json."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NoReturn

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
    ResponseValidationError,
)

from flowserverless import cold_start, logs, settings
from flowserverless.api import answers, problems, refusals
from flowserverless.auth import credentials
from flowserverless.domain import errors, users, validation

# The headers in which callers say who they are; what caches keep of one caller is not for another.
TOKENS = "Authorization, api_key"
EXPOSED = "ETag, Link, Location, X-Request-Id, X-Next-Cursor, Retry-After"
MAX_ID_LENGTH = 500
# Where JSON is wrong, when Python does not say it.
NOWHERE = -1
# What API Gateway makes of bytes that are no UTF-8, so that texts which differ would become the same.
REPLACED = "\N{REPLACEMENT CHARACTER}"
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
# What caches and pages that link here add to a URL; it means nothing to any operation.
ADDED = re.compile(r"_|utm_\w+|fbclid|gclid")
WHOLE = re.compile(r"-?[0-9]+")
Json = dict[str, Any]


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


class App(APIGatewayRestResolver):
    """A resolver for one operation; closed to callers without a valid token unless `public`.

    A `personal` one is open to all and says more to who is signed in. `takes` are the media types of the bodies that
    it reads.
    """

    def __init__(self, public: bool = False, personal: bool = False, takes: tuple[str, ...] = (answers.JSON,)) -> None:
        super().__init__(enable_validation=True, json_body_deserializer=json_value)
        self.public, self.personal, self.takes = public, personal, takes
        self.use(middlewares=[_only_known])

        self.exception_handler(errors.Problem)(problems.refused)
        self.exception_handler(validation.Faults)(problems.outdated)
        self.exception_handler(RequestValidationError)(problems.invalid)
        self.exception_handler(UnicodeDecodeError)(problems.not_text)
        self.exception_handler(ResponseValidationError)(problems.broken)
        self.exception_handler(Exception)(problems.broken)
        self.not_found(problems.unknown)


def _only_known(resolver: App, go_on: Callable[[App], answers.Answer]) -> answers.Answer:
    """Refuse what the operation does not understand: a misspelt filter, a body where none is read."""
    event, understood = resolver.current_event.raw_event, resolver.context["_route"].dependant
    _check_query(event, [field.alias for field in understood.query_params])
    if event["httpMethod"] == "DELETE":
        _check_no_body(resolver.current_event.decoded_body)
    return go_on(resolver)


def _check_query(event: Json, known: list[str]) -> None:
    given = event.get("multiValueQueryStringParameters") or {}
    unknown = [name for name in given if name not in known and not ADDED.fullmatch(name)]
    if unknown:
        raise errors.InvalidRequest(f"the query {refusals.unknown('parameter', unknown, known)}")
    # Python would take digits of any script, blanks around them and lines between them.
    if "limit" in known and not WHOLE.fullmatch(*given.get("limit", ["0"])):
        raise errors.InvalidRequest("the query parameter 'limit' has to be a whole number")


def _check_once(event: Json) -> None:
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


def authorizer(resolver: App) -> dict[str, str]:
    """What the authorizer said of the caller: user, name, roles, problem; {} where none was asked."""
    return _authorizer(resolver.current_event.raw_event)


def _authorizer(event: Json) -> dict[str, str]:
    return event.get("requestContext", {}).get("authorizer") or {}


def handler(resolver: App) -> Callable[[Json, Any], Json]:
    """The Lambda handler of an operation: logs with the request's id, counts, and never raises to API Gateway."""
    cold_start.end()

    def handle(event: Json, context: Any) -> Json:
        request = str(event.get("requestContext", {}).get("requestId", ""))
        method = event.get("httpMethod")
        logs.logger.set_correlation_id(request)
        try:
            answer = _answer(resolver, event, context)
        except Exception as error:
            answer = _plain(problems.broken(error))
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
        headers["Access-Control-Allow-Origin"] = [settings.current().allowed_origin]
        headers["Access-Control-Expose-Headers"] = [EXPOSED]
        headers.setdefault("Cache-Control", ["no-store"])
        logs.logger.info("answered", extra={"status": answer["statusCode"], "operation": event.get("resource")})
        return answer

    return handle


def _tag(answer: Json, event: Json, cache: str) -> None:
    """Name what is answered by a digest of its body; to a caller who has the same already, only say so."""
    headers = answer["multiValueHeaders"]
    tag = f'"{hashlib.sha256((answer["body"] or "").encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'
    headers["ETag"] = [tag]
    # What is everybody's may be kept, but not shown again without asking. What is somebody's is kept nowhere.
    headers.setdefault("Cache-Control", [cache])
    known = ",".join(_headers(event, "if-none-match"))
    if known.strip() == "*" or tag in re.findall(r'"[^"]*"', known):
        answer["statusCode"] = int(HTTPStatus.NOT_MODIFIED)


def _answer(resolver: App, event: Json, context: Any) -> Json:
    said = _authorizer(event)
    try:
        if not resolver.public and not said.get("user"):
            # Before anything else is looked at, so that strangers learn nothing about what is valid.
            raise credentials.refusal(said.get("problem", ""))
        if any(len(part) > MAX_ID_LENGTH for part in (event.get("pathParameters") or {}).values()):
            raise errors.NotFound(f"an id has at most {MAX_ID_LENGTH} characters")
        _check_once(event)
        read = _readable(resolver, event)
    except errors.Problem as refusal:
        return _plain(problems.refused(refusal))
    return resolver.resolve(read, context)


def _readable(resolver: App, event: Json) -> Json:
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
        if kind not in resolver.takes and (stated or resolver.takes != (answers.JSON,)):
            named = f"this is '{stated[:100]}'" if stated else "the request has no Content-Type"
            raise errors.UnsupportedType(f"the body has to be {' or '.join(resolver.takes)}; {named}")
        headers["Content-Type"] = answers.JSON if kind in ("", answers.JSON) else f"{kind}{mark}{options}"
    if method == "DELETE" or headers.get("Content-Type") == answers.JSON:
        event = {**event, "body": _text(event), "isBase64Encoded": False}
    return {**event, "httpMethod": method, "headers": headers, "path": _route(event)}


def _text(event: Json) -> str | None:
    """The body as a text. Raises InvalidRequest where it was none, also where API Gateway has made one of it."""
    body = event.get("body")
    try:
        text = base64.b64decode(body, validate=True).decode() if body and event.get("isBase64Encoded") else body
    except ValueError:
        # What is no base64, and what is no UTF-8.
        raise errors.InvalidRequest(problems.NOT_TEXT) from None
    if REPLACED in (text or ""):
        raise errors.InvalidRequest(problems.NOT_TEXT)
    return text


def _route(event: Json) -> str:
    """The path without what a custom domain maps to the API, which API Gateway leaves in the path."""
    path, resource = str(event["path"]), str(event["resource"])
    parts = path.rstrip("/").split("/")
    return "/" if resource == "/" else "/" + "/".join(parts[-resource.count("/") :])


def _headers(event: Json, name: str) -> list[str]:
    several = event.get("multiValueHeaders") or {one: [value] for one, value in (event.get("headers") or {}).items()}
    return [value for one, values in several.items() if one.lower() == name for value in values]


def is_head(resolver: App) -> bool:
    """Whether only the headers of the answer are asked for; a signed URL is for one method only."""
    context: Json = resolver.current_event.raw_event.get("requestContext", {})
    return context.get("httpMethod") == "HEAD"


def _plain(response: Response[Any]) -> Json:
    headers = {"Content-Type": [str(response.content_type)]}
    headers |= {name: [str(value)] for name, value in response.headers.items()}
    return {
        "statusCode": response.status_code,
        "body": response.body,
        "multiValueHeaders": headers,
        "isBase64Encoded": False,
    }


def caller(resolver: App) -> users.Caller:
    """Who is calling."""
    said = authorizer(resolver)
    organiser = "organisers" in said.get("roles", "").split(",")
    return users.Caller(said.get("user", ""), said.get("name", ""), organiser, said.get("problem", ""))

"""Reads a request as API Gateway tells it: what may stand in it, and what the resolver is to see of it."""

import base64
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from flowserverless.api import parameters, problems
from flowserverless.domain import errors

JSON = "application/json"
MAX_ID_LENGTH = 500
# Where JSON is wrong, when Python does not say it.
NOWHERE = -1
# What API Gateway makes of bytes that are no UTF-8, so that texts which differ would become the same.
REPLACED = "\N{REPLACEMENT CHARACTER}"
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
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


def authorizer(event: Json) -> dict[str, str]:
    """What the authorizer said of the caller; {} where none was asked."""
    return event.get("requestContext", {}).get("authorizer") or {}


def check(event: Json) -> None:
    """Raise NotFound, InvalidRequest for what no operation takes."""
    if any(len(part) > MAX_ID_LENGTH for part in (event.get("pathParameters") or {}).values()):
        raise errors.NotFound(f"an id has at most {MAX_ID_LENGTH} characters")
    parameters.check_once(event)


def check_no_body(text: str | None) -> None:
    """Raise InvalidRequest for a body of a deletion that says something."""
    # Pages made for flowServ send an empty object.
    try:
        empty = not (text or "").strip() or json_value(str(text)) in ({}, None)
    except json.JSONDecodeError:
        empty = False
    if not empty:
        raise errors.InvalidRequest("a deletion takes no body, or an empty object")


def readable(event: Json, takes: Sequence[str]) -> Json:
    """The request as the resolver reads it: HEAD as GET, and the name of a media type it takes in small letters.

    Raises UnsupportedType and InvalidRequest. Powertools would read a form like JSON, and any web page may send one
    without asking the browser. A body without a type is taken for JSON where that is taken.
    """
    method = "GET" if event["httpMethod"] == "HEAD" else event["httpMethod"]
    others = {name: value for name, value in (event.get("headers") or {}).items() if name.lower() != "content-type"}
    stated = (headers(event, "content-type") or [""])[-1].strip()
    name, mark, options = stated.partition(";")
    kind = name.strip().lower()
    if event.get("body") and method in ("POST", "PUT"):
        if kind not in takes and (stated or list(takes) != [JSON]):
            named = f"this is '{stated[:100]}'" if stated else "the request has no Content-Type"
            raise errors.UnsupportedType(f"the body has to be {' or '.join(takes)}; {named}")
        others["Content-Type"] = JSON if kind in ("", JSON) else f"{kind}{mark}{options}"
    if method == "DELETE" or others.get("Content-Type") == JSON:
        event = {**event, "body": _text(event), "isBase64Encoded": False}
    return {**event, "httpMethod": method, "headers": others, "path": _route(event)}


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


def headers(event: Json, name: str) -> list[str]:
    """All values of a header, whose name is in small letters."""
    several = event.get("multiValueHeaders") or {one: [value] for one, value in (event.get("headers") or {}).items()}
    return [value for one, values in several.items() if one.lower() == name for value in values]

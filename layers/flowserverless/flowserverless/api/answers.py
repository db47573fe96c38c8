"""Answers that are no plain JSON: redirects to presigned URLs, and CSV for callers who accept it."""

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from flowserverless import settings
from flowserverless.api import received

# The headers in which callers say who they are; what caches keep of one caller is not for another.
TOKENS = "Authorization, api_key"
EXPOSED = "ETag, Link, Location, X-Request-Id, X-Next-Cursor, Retry-After"
Json = dict[str, Any]
Answer = Response[Any]


def as_accepted(accept: str | None, body: Any, as_csv: Callable[[Any], str]) -> Answer:
    """JSON, or for callers who accept text/csv a table in UTF-8 with a header row and the cursor in a header."""
    headers = {"Vary": "Accept"}
    if not _prefers_csv(accept or ""):
        return Response(int(HTTPStatus.OK), received.JSON, body, headers)
    headers |= {"X-Next-Cursor": body["next"]} if "next" in body else {}
    return Response(int(HTTPStatus.OK), "text/csv; charset=utf-8; header=present", as_csv(body), headers)


def _prefers_csv(accept: str) -> bool:
    """Whether CSV is named, and JSON is not named as better (RFC 9110, 12.5.1)."""
    weights = {}
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[kind] = float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 0.0
    return weights.get("text/csv", 0.0) > 0 and weights["text/csv"] >= weights.get(received.JSON, 0.0)


def redirect(url: str) -> Response[Any]:
    """Send the caller to a signed URL; nothing may keep it, because it is a key to the file until it expires."""
    return Response(int(HTTPStatus.FOUND), None, "", {"Location": url, "Cache-Control": "no-store"})


def plain(response: Response[Any]) -> Json:
    """An answer that did not come from the resolver, as the resolver answers."""
    headers = {"Content-Type": [str(response.content_type)]}
    headers |= {name: [str(value)] for name, value in response.headers.items()}
    return {
        "statusCode": response.status_code,
        "body": response.body,
        "multiValueHeaders": headers,
        "isBase64Encoded": False,
    }


def tag(answer: Json, event: Json, cache: str) -> None:
    """Name what is answered by a digest of its body; to a caller who has the same already, only say so."""
    headers = answer["multiValueHeaders"]
    its_tag = f'"{hashlib.sha256((answer["body"] or "").encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'
    headers["ETag"] = [its_tag]
    headers.setdefault("Cache-Control", [cache])
    known = ",".join(received.headers(event, "if-none-match"))
    if known.strip() == "*" or its_tag in re.findall(r'"[^"]*"', known):
        answer["statusCode"] = int(HTTPStatus.NOT_MODIFIED)


def finish(answer: Json, event: Json) -> None:
    """Leave out the body where there is none, and add the headers that every answer has."""
    headers = answer["multiValueHeaders"]
    if answer["statusCode"] in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        answer["body"] = ""
        headers.pop("Content-Type", None)
    if event.get("httpMethod") == "HEAD":
        answer |= {"body": "", "isBase64Encoded": False}
    headers["X-Request-Id"] = [str(event.get("requestContext", {}).get("requestId", ""))]
    headers["X-Content-Type-Options"] = ["nosniff"]
    headers["Strict-Transport-Security"] = ["max-age=63072000"]
    headers["Access-Control-Allow-Origin"] = [settings.current().allowed_origin]
    headers["Access-Control-Expose-Headers"] = [EXPOSED]
    headers.setdefault("Cache-Control", ["no-store"])

"""Answers that are no plain JSON: redirects to signed URLs, and CSV for those who accept it."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

JSON = "application/json"
Answer = Response[Any]


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

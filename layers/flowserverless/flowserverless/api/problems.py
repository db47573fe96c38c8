"""Errors as problem+json (RFC 9457): which status each has, and what its body says."""

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
)
from aws_lambda_powertools.metrics import MetricUnit

from flowserverless import logs
from flowserverless.api import refusals
from flowserverless.domain import errors, validation

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
NOT_TEXT = "the body is not UTF-8, in which JSON has to be sent; U+FFFD itself is written \\ufffd"
RETRY_SECONDS = 5
metrics = Metrics(namespace="flowserverless", service="api")


def type_of(code: str) -> str:
    """The `type` of problems with this code: a name and no address, because nothing serves docs/problems.md."""
    return f"urn:flowserverless:problem:{code}"


def problem(status: HTTPStatus, detail: str, code: str, **named: str) -> Response[Any]:
    """An RFC 9457 body; `message` repeats the detail for flowServ's clients, which read only that.

    `named` are further members: the ids of what the problem is about.
    """
    body = {
        "type": type_of(code),
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


def refused(error: errors.Problem) -> Response[Any]:
    known = next((known for known in type(error).__mro__ if known in STATUS), None)
    status = STATUS[known] if known else HTTPStatus.SERVICE_UNAVAILABLE
    return problem(status, error.detail, error.code, **error.named)


def outdated(found: validation.Faults) -> Response[Any]:
    """A version that was accepted when it was published, and would not be any more: more names are reserved, say."""
    first = "; ".join(f"{fault.place} {fault.message}" for fault in found.faults[:3])[:1000]
    detail = f"the workflow has to be published anew, because this service does not take it as it is: {first}"
    return problem(HTTPStatus.CONFLICT, detail, errors.WORKFLOW_OUTDATED)


def invalid(error: RequestValidationError) -> Response[Any]:
    return problem(HTTPStatus.BAD_REQUEST, refusals.sentences(error.errors(), error.body), errors.INVALID_REQUEST)


def not_text(_: UnicodeDecodeError) -> Response[Any]:
    return problem(HTTPStatus.BAD_REQUEST, NOT_TEXT, errors.INVALID_REQUEST)


def unknown(_: NotFoundError) -> Response[Any]:
    return problem(HTTPStatus.NOT_FOUND, "there is no such operation", errors.NO_SUCH_OPERATION)


def broken(error: Exception) -> Response[Any]:
    logs.logger.exception("unexpected error", exc_info=error)
    metrics.add_metric("UnexpectedErrors", MetricUnit.Count, 1)
    metrics.flush_metrics()
    detail = "this is our mistake; the request id in the answer leads to the log"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, errors.INTERNAL_ERROR)

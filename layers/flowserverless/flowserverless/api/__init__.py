"""HTTP: the only package that knows Powertools' resolver, pydantic, statuses and JSON names.

What handlers need to declare an operation is named here, so that they read `api.App`, `api.RunId`, `api.redirect`.
"""

from flowserverless.api.answers import JSON, Answer, as_accepted, redirect
from flowserverless.api.app import App, authorizer, caller, handler, is_head, json_value
from flowserverless.api.openapi import operation
from flowserverless.api.parameters import (
    Accept,
    All,
    Cursor,
    FileId,
    GroupId,
    Limit,
    Order,
    RunId,
    Step,
    Tail,
    UserId,
    WorkflowId,
)

__all__ = [
    "JSON",
    "Accept",
    "All",
    "Answer",
    "App",
    "Cursor",
    "FileId",
    "GroupId",
    "Limit",
    "Order",
    "RunId",
    "Step",
    "Tail",
    "UserId",
    "WorkflowId",
    "as_accepted",
    "authorizer",
    "caller",
    "handler",
    "is_head",
    "json_value",
    "operation",
    "redirect",
]

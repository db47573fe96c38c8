"""HTTP: the only package that knows Powertools' resolver, pydantic, statuses and JSON names.

What handlers need to declare an operation is named here, so that they read `api.App`, `api.RunId`, `api.redirect`.
"""

from flowserverless.api.answers import Answer, as_accepted, redirect
from flowserverless.api.app import App
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
from flowserverless.api.received import JSON

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
    "redirect",
]

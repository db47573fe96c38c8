"""Which requests DynamoDB gets."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from flowserverless.store import table


@contextlib.contextmanager
def to_dynamodb() -> Iterator[list[str]]:
    """Collect the operations of all requests made meanwhile, transactions with the number of their items."""
    made: list[str] = []
    events = table.Item._get_connection().connection.client.meta.events

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        items = params.get("TransactItems")
        made.append(f"{model.name} of {len(items)}" if items else model.name)

    events.register("before-parameter-build.dynamodb", note)
    try:
        yield made
    finally:
        events.unregister("before-parameter-build.dynamodb", note)


_open = threading.local()
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}


@contextlib.contextmanager
def committed() -> Iterator[list[str]]:
    """Collect the operations that change something meanwhile; a write whose condition failed did not.

    What another thread does, or what happens within a `committed` inside of this one, is theirs.
    """
    made: list[str] = []
    events = table.Item._get_connection().connection.client.meta.events
    within: list[list[str]] = _open.__dict__.setdefault("collections", [])

    def note(http_response: Any, model: Any, **_: Any) -> None:
        here = getattr(_open, "collections", [])
        if here and here[-1] is made and http_response.status_code == 200 and model.name in WRITES:
            made.append(model.name)

    events.register("after-call.dynamodb", note)
    within.append(made)
    try:
        yield made
    finally:
        within.pop()
        events.unregister("after-call.dynamodb", note)


class Died(BaseException):
    """The function ended without warning."""


@contextlib.contextmanager
def no_more_than(count: int) -> Iterator[None]:
    """Let the function die after so many requests: DynamoDB has done the last one, nobody gets its answer."""
    left = [None] * (count - 1)
    events = table.Item._get_connection().connection.client.meta.events

    def die(**_: Any) -> None:
        if not left:
            raise Died
        left.pop()

    events.register("after-call.dynamodb", die)
    try:
        yield
    finally:
        events.unregister("after-call.dynamodb", die)

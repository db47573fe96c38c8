"""Which requests DynamoDB gets."""

import contextlib
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

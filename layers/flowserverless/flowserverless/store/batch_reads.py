"""Reads several items of different kinds in one call, each as the domain knows it."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from flowserverless.domain import frozen
from flowserverless.store import table

T = TypeVar("T")


@frozen.dataclass
class Wanted(Generic[T]):
    """An item that is to be read, and what makes a domain object of it."""

    key: table.Key
    made_by: Callable[[Any], T]


@frozen.dataclass
class Found:
    """What was there of all that was wanted."""

    items: dict[table.Key, Any]

    def __contains__(self, wanted: Wanted[Any]) -> bool:
        return wanted.key in self.items

    def get(self, wanted: Wanted[T]) -> T | None:
        """What was wanted; None when there is none."""
        item = self.items.get(wanted.key)
        return None if item is None else wanted.made_by(item)


NOTHING = Found({})


def together(*wanted: Wanted[Any]) -> Found:
    """All that is there of these, strongly consistent: one BatchGetItem per 100; none for nothing."""
    return Found(table.fetch(one.key for one in wanted)) if wanted else NOTHING


def one(wanted: Wanted[T]) -> T | None:
    """What is wanted, strongly consistent, by GetItem; None when there is none."""
    item = table.get(wanted.key)
    return None if item is None else wanted.made_by(item)

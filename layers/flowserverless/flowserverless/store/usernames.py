"""Names of users in the table, because Cognito takes names for different that people cannot tell apart."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from flowserverless.domain import names
from flowserverless.store import table


def _key(name: str) -> table.Key:
    return table.username(hashlib.sha256(names.skeleton(name).encode()).hexdigest())


def holder(name: str) -> table.UserNameItem | None:
    """Who has this name, or one that looks like it."""
    return table.get(_key(name))


def take(name: str, user: str, tried: Sequence[str], now: datetime, before: table.UserNameItem | None) -> bool:
    """Let `user` have the name, unless somebody else took it since `before` was read.

    `tried` are digests of the addresses with which the name was registered.
    """
    item = table.UserNameItem(*_key(name), name=name, user=user, tried=json.dumps(list(tried)), created_at=now)
    head = table.UserNameItem
    free = head.user == before.user if before else head.pk.does_not_exist()
    return table.written(lambda: item.save(condition=free))


def release(name: str, user: str) -> None:
    """Let others have the name that `user` had, unless somebody has it already."""
    item = table.UserNameItem(*_key(name))
    table.written(lambda: item.delete(condition=table.UserNameItem.user == user))


def tried(item: table.UserNameItem | None) -> list[str]:
    """Digests of the addresses with which the name was registered and never became active."""
    return list(json.loads(item.tried)) if item else []


def digest(address: str) -> str:
    """What is kept of an address here: enough to know it again."""
    return hashlib.sha256(address.casefold().encode()).hexdigest()

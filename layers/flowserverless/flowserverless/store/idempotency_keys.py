"""Idempotency keys in the table, each with the run it stands for."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pynamodb.transactions import TransactWrite

from flowserverless.domain import idempotency
from flowserverless.store import batch_reads, table


def wanted(of: idempotency.Use) -> batch_reads.Wanted[idempotency.Use]:
    """The first use of the same key, to be read together with other things."""

    def made(item: Any) -> idempotency.Use:
        expires = datetime.fromtimestamp(int(item.expires), UTC)
        return replace(of, payload=item.payload, expires=expires, run=item.run)

    return batch_reads.Wanted(table.once(of.group, of.key), made)


def bind(transaction: TransactWrite, use: idempotency.Use, now: datetime) -> None:
    """Let a key stand for a run, on the condition that it stands for none yet, or has expired."""
    expired = table.OnceItem.expires <= int(now.timestamp())
    key = table.once(use.group, use.key)
    item = table.OnceItem(*key, run=use.run, payload=use.payload, expires=int(use.expires.timestamp()))
    transaction.save(item, condition=table.OnceItem.pk.does_not_exist() | expired)

"""Transactions: all of several writes or none, tried again while others write the same items."""

import random
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from pynamodb.connection import Connection
from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors
from flowserverless.store import table

Result = TypeVar("Result")


class ConditionFailed(Exception):
    """A condition of the transaction did not hold; nothing was written."""


class Unfinished(Exception):
    """A round wrote a part of what is wanted; the next one goes on with what is there then."""


class Busy(errors.Unavailable):
    """Others kept changing the same items for too long; nothing was written, the same call may be repeated."""

    codes: tuple[str, ...] = (errors.BUSY,)


RETRIED = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}


def _connection() -> Connection:
    # The model's own connection, so that a process has one client and one pool.
    return table.Item._get_connection().connection


def pause(attempt: int) -> None:
    """Let others go first after attempt number `attempt` (from 0) was lost to them: full jitter, at most 1.6 s."""
    time.sleep(random.uniform(0, min(1.6, 0.025 * 2**attempt)))


def until_settled(
    attempt: Callable[[], Result], rounds: int, busy: str, lost: Callable[[int], object] = lambda _: None
) -> Result:
    """Read, judge and write until nobody else changed meanwhile what was read; raises Busy after so many rounds.

    `attempt` does one round and raises ConditionFailed when it was lost; `lost` is told its number (from 0) then. A
    round that is Unfinished counts like any other, and the next one follows at once.
    """
    for number in range(rounds):
        try:
            return attempt()
        except Unfinished:
            continue
        except ConditionFailed:
            lost(number)
    raise Busy(busy)


def commit(compose: Callable[[TransactWrite], None], attempts: int = 12) -> None:
    """Write all that `compose` adds to a transaction, or nothing.

    The transaction carries one client token over all attempts, so an answer that was lost does not write twice.
    Raises ConditionFailed; conflicts and throttling are tried again with full jitter (up to 25 ms doubling to 1.6 s).
    """
    request = uuid.uuid4().hex
    for attempt in range(attempts):
        try:
            with TransactWrite(connection=_connection(), client_request_token=request) as transaction:
                compose(transaction)
            return
        except TransactWriteError as error:
            codes = {reason.code for reason in error.cancellation_reasons if reason}
            if "ConditionalCheckFailed" in codes:
                raise ConditionFailed(str(error)) from error
            in_progress = error.cause_response_code == "TransactionInProgressException"
            if not (codes & RETRIED or in_progress):
                raise
        pause(attempt)
    raise Busy("many changes are being made to the same group or workflow; try again")

"""Memberships as conditions: what a member asks for is written while they are one, and not a moment later.

Whoever acts as a member is named by the key of their membership. Organisers, and the service itself, are None.
"""

from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors
from flowserverless.store import table


def require(transaction: TransactWrite, by: table.Key | None) -> None:
    """Let a transaction fail if who asks for it is a member no more."""
    if by:
        transaction.condition_check(table.MemberItem, *by, condition=table.MemberItem.pk.exists())


def check(by: table.Key | None) -> None:
    """Raise Forbidden if who asks is a member no more: for those who look for what made a transaction fail."""
    if by and table.get(by) is None:
        raise refusal(f"group '{by[0].removeprefix('GROUP#')}'")


def refusal(what: str) -> errors.Forbidden:
    """What strangers are told: the same of what is not theirs and of what does not exist."""
    return errors.Forbidden(f"you have no access to {what}, or it does not exist", "NO_ACCESS")

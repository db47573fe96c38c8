"""Members in the table, and memberships as conditions: what a member asks for is written only while they are one.

Organisers, and the service itself, act without a membership: theirs is None.
"""

from typing import Any

from pynamodb.transactions import TransactWrite

from flowserverless.domain import groups
from flowserverless.store import batch_reads, table


def from_item(item: Any) -> groups.Member:
    """The member that an item holds."""
    return groups.Member(item.user, item.name)


def to_item(group_id: str, member: groups.Member) -> table.MemberItem:
    """The item that holds a member."""
    return table.MemberItem(*table.member(group_id, member.id), user=member.id, name=member.name)


def wanted(group_id: str, user: str) -> batch_reads.Wanted[groups.Member]:
    """A member, to be read together with other things."""
    return batch_reads.Wanted(table.member(group_id, user), from_item)


def get(membership: groups.Membership) -> groups.Member | None:
    """The member; None when there is none."""
    return batch_reads.one(wanted(membership.group, membership.user))


def require(transaction: TransactWrite, by: groups.Membership | None) -> None:
    """Let a transaction fail if who asks for it is a member no more."""
    if by:
        there = table.MemberItem.pk.exists()
        transaction.condition_check(table.MemberItem, *table.member(by.group, by.user), condition=there)


def check(by: groups.Membership | None) -> None:
    """Raise Forbidden if who asks is a member no more: for those who look for what made a transaction fail."""
    if by and get(by) is None:
        raise groups.refusal(f"group '{by.group}'")

"""Tokens that are refused before their time: one that was signed out, or all that a user had at a moment.

A token says in which second its user signed in, so all of the second of that moment are refused as well.
"""

from datetime import datetime

from flowserverless.store import table

# No token lives longer than a day. An hour is added, because DynamoDB may delete an item once it expired.
REMEMBERED_SECONDS = 25 * 3600


def sign_out(token: str, expires: int) -> None:
    """Refuse the token from now on; `expires` is the Unix time at which it ends by itself."""
    table.TokenItem(*table.token(token), expires=expires + 3600).save()


def sign_out_everywhere(user: str, moment: datetime) -> None:
    """Refuse every token of a user up to the second of `moment`, or of a later moment that was said before."""
    expires = int(moment.timestamp()) + REMEMBERED_SECONDS
    head = table.TokenItem
    item = table.TokenItem(*table.token(user), expires=expires)
    table.written(lambda: item.save(condition=head.pk.does_not_exist() | (head.expires <= expires)))


def is_signed_out(token: str, user: str, since: int) -> bool:
    """Whether the token is refused for which the user signed in at the Unix time `since`; strongly consistent."""
    found = table.fetch([table.token(token), table.token(user)])
    everywhere = found.get(table.token(user))
    return table.token(token) in found or (
        everywhere is not None and since <= int(everywhere.expires) - REMEMBERED_SECONDS
    )


def last_second(user: str) -> int:
    """The Unix time up to which all tokens of the user are refused; 0 when that was never said. Strongly consistent."""
    everywhere = table.get(table.token(user))
    return int(everywhere.expires) - REMEMBERED_SECONDS if everywhere else 0

"""Rank keys: texts whose plain order is the order of the leaderboard.

DynamoDB sorts the items of a partition by the bytes of their sort key. Writing a run's values in such a way
that these bytes sort as the values do makes every board an index: the top k entries cost k, and a run finds
its place without anybody reading the others. A key reads

    {values}#{moment of finishing}#{run id}

so equal values are ordered by who finished first, then by run id, and no two runs share a key. Every column
of the order is written in one of these ways, none of which is the beginning of another:

    1                            missing, or not a number: last in either direction
    0 and 16 hex digits          a number: offset by 2**63 if it is an integer; if it is a float, its bits
                                 rearranged to sort as those of unsigned integers (IEEE 754 nearly does so)
    0, hex digits, then ! or ~   a text: its UTF-8 bytes, whose order is that of the code points; ! sorts
                                 before every digit and ~ after, so that a text comes before its own
                                 continuations if ascending and after them if descending

Descending columns have all bits complemented. Texts take part with their first bytes only (TEXT_ROOM shared
by the text columns of the order), because a sort key has at most 1024 bytes: texts that agree so far count
as equal.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from flowserverless.domain import errors, results

Encoder: TypeAlias = Callable[[results.Values, str, str], str]

# Bytes of UTF-8. The longest key has 800 digits for them and 2 signs around the text, 7 numbers of 17 signs,
# 32 for the moment, 59 for the run id and 2 separators: 1014 of the 1024 bytes that DynamoDB allows.
TEXT_ROOM = 400

SEPARATOR = "#"
MISSING = "1"
SIGN_BIT = 2**63
ALL_BITS = 2**64 - 1
COMPLEMENT = bytes(range(255, -1, -1))
FLOAT = struct.Struct(">d")
UNSIGNED = struct.Struct(">Q")


class Ranked(Protocol):
    """What is known of a ranked run wherever it comes from; `run` and `group` are ids."""

    @property
    def run(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def finished_at(self) -> str: ...
    @property
    def values(self) -> results.Values: ...


RankedRun = TypeVar("RankedRun", bound=Ranked)


def encoder(schema: results.ResultSchema, order: Sequence[results.OrderBy] | None = None) -> Encoder:
    """The function (values, finished_at, run_id) -> key for one order, the schema's own if none is given.

    Preparing it once is what makes keys of many runs cheap. `finished_at` is compared as text, so it has to
    have the one form that timestamps have everywhere here: UTC with six digits of fraction.
    """
    columns = {column.name: (position, column.dtype) for position, column in enumerate(schema.columns)}
    chosen = [(*columns[by.column], by.descending) for by in order or schema.order]
    texts = sum(dtype == "string" for _, dtype, _ in chosen)
    room = TEXT_ROOM // max(texts, 1)
    writers = [(position, _writer(dtype, descending, room)) for position, dtype, descending in chosen]

    def encode(values: results.Values, finished_at: str, run_id: str) -> str:
        ranked_by = "".join([write(values[position]) for position, write in writers])
        return f"{ranked_by}{SEPARATOR}{finished_at}{SEPARATOR}{run_id}"

    return encode


def key(
    schema: results.ResultSchema,
    values: results.Values,
    finished_at: str,
    run_id: str,
    order: Sequence[results.OrderBy] | None = None,
) -> str:
    """The rank key of one run; see `encoder`, which is the cheaper way for many."""
    return encoder(schema, order)(values, finished_at, run_id)


def value_part(key: str) -> str:
    """What the keys of two runs have in common if, and only if, the runs share a rank."""
    return key.partition(SEPARATOR)[0]


def run_of(key: str) -> str:
    """The id of the run that a key belongs to."""
    return key.rpartition(SEPARATOR)[2]


def standing(previous_best_key: str | None, new_key: str) -> bool:
    """Whether a run becomes the best of its group; the best run itself, seen once more, does not."""
    return previous_best_key is None or new_key < previous_best_key


def parse_order(schema: results.ResultSchema, text: str | None) -> tuple[results.OrderBy, ...]:
    """Read `column[:asc|desc],...`; an empty text means the schema's order, as does the unfilled `{orderBy}` of a link.

    A column without direction is descending, as in flowServ. Raises errors.InvalidRequest.
    """
    if text is None or text.strip() in ("", "{orderBy}"):
        return schema.order
    names = {column.name for column in schema.columns}
    order = tuple(_order_by(criterion.strip(), names) for criterion in text.split(","))
    if len(order) > results.MOST_ORDER_COLUMNS:
        raise errors.InvalidRequest(f"orderBy has more than {results.MOST_ORDER_COLUMNS} columns")
    if len({by.column for by in order}) < len(order):
        raise errors.InvalidRequest("orderBy has a column twice")
    return order


def ordered(encode: Encoder, entries: Iterable[RankedRun]) -> list[tuple[str, RankedRun]]:
    """All entries with their keys, the best first."""
    keyed = ((encode(entry.values, entry.finished_at, entry.run), entry) for entry in entries)
    return sorted(keyed, key=_key_of)


def best_per_group(encode: Encoder, entries: Iterable[RankedRun]) -> list[tuple[str, RankedRun]]:
    """The entry of every group that comes first in the order of `encode`, with its key, the best first.

    Reads the entries once, in any order, and keeps one per group. This is what an order chosen by the
    caller needs: under `score:asc` a group is represented by its run with the lowest score.
    """
    best: dict[str, tuple[str, RankedRun]] = {}
    for entry in entries:
        its_key = encode(entry.values, entry.finished_at, entry.run)
        rival = best.get(entry.group)
        if standing(rival[0] if rival else None, its_key):
            best[entry.group] = (its_key, entry)
    return sorted(best.values(), key=_key_of)


def ranks(
    value_parts: Iterable[str], start_rank: int = 0, start_position: int = 0, previous: str | None = None
) -> Iterator[int]:
    """Competition ranks (1, 1, 3) of entries in ranking order.

    A page goes on where the last one ended: with the rank of its last entry, the number of entries so far,
    and the value part of its last entry.
    """
    rank = start_rank
    for position, part in enumerate(value_parts, start_position + 1):
        if part != previous:
            rank, previous = position, part
        yield rank


def _key_of(keyed: tuple[str, RankedRun]) -> str:
    return keyed[0]


def _order_by(criterion: str, names: set[str]) -> results.OrderBy:
    if criterion in names:
        return results.OrderBy(criterion)
    # From the right: the name of a column may contain a colon.
    name, _, direction = criterion.rpartition(":")
    if name.strip() in names and direction.strip().lower() in ("asc", "desc"):
        return results.OrderBy(name.strip(), direction.strip().lower() == "desc")
    raise errors.InvalidRequest(f"orderBy: '{criterion}' is not a column with an optional :asc or :desc")


def _writer(dtype: results.Dtype, descending: bool, room: int) -> Callable[[Any], str]:
    match dtype:
        case "int":
            return _integer_writer(ALL_BITS if descending else 0)
        case "float":
            return _float_writer(ALL_BITS if descending else 0)
        case "string":
            return _text_writer(descending, room)


def _integer_writer(flip: int) -> Callable[[int | None], str]:
    def write(value: int | None) -> str:
        return MISSING if value is None else f"0{(value + SIGN_BIT) ^ flip:016x}"

    return write


def _float_writer(flip: int) -> Callable[[float | None], str]:
    def write(value: float | None) -> str:
        if value is None or math.isnan(value):
            return MISSING
        # Adding 0.0 turns -0.0 into 0.0, its equal.
        bits: int = UNSIGNED.unpack(FLOAT.pack(value + 0.0))[0]
        # Negative floats have the sign bit and a magnitude that grows downwards.
        bits ^= ALL_BITS if bits & SIGN_BIT else SIGN_BIT
        return f"0{bits ^ flip:016x}"

    return write


def _text_writer(descending: bool, room: int) -> Callable[[str | None], str]:
    def write(value: str | None) -> str:
        if value is None:
            return MISSING
        # Cut between bytes, not between characters: dropping a long last character whole would put the text
        # before others that it follows.
        cut = value.encode()[:room]
        return f"0{cut.translate(COMPLEMENT).hex()}~" if descending else f"0{cut.hex()}!"

    return write

"""Rank keys: texts whose plain order is the order of the leaderboard."""

import math
import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from flowserverless.domain import errors, moments
from flowserverless.domain.ranking import results

Encoder: TypeAlias = Callable[[results.Values, datetime, str], str]
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


def encoder(schema: results.ResultSchema, order: Sequence[results.OrderBy] | None = None) -> Encoder:
    """The function (values, finished_at, run_id) -> key for one order, the schema's own if none is given.

    Preparing it once is what makes keys of many runs cheap.
    """
    columns = {column.name: (position, column.dtype) for position, column in enumerate(schema.columns)}
    chosen = [(*columns[by.column], by.descending) for by in order or schema.order]
    texts = sum(dtype == "string" for _, dtype, _ in chosen)
    room = TEXT_ROOM // max(texts, 1)
    writers = [(position, _writer(dtype, descending, room)) for position, dtype, descending in chosen]

    def encode(values: results.Values, finished_at: datetime, run_id: str) -> str:
        ranked_by = "".join([write(values[position]) for position, write in writers])
        return f"{ranked_by}{SEPARATOR}{moments.text(finished_at)}{SEPARATOR}{run_id}"

    return encode


def key(
    schema: results.ResultSchema,
    values: results.Values,
    finished_at: datetime,
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


def parse_order(schema: results.ResultSchema, text: str | None) -> tuple[results.OrderBy, ...]:
    """Read `column[:asc|desc],...`; an empty text means the schema's order, as does the unfilled `{orderBy}` of a link.

    A column without direction is descending, as in flowServ. Raises errors.InvalidRequest.
    """
    if text is None or text.strip() in ("", "{orderBy}"):
        return schema.order
    names = {column.name for column in schema.columns}
    order = tuple(_order_by(criterion.strip(), names) for criterion in text.split(","))
    if len(order) > results.MAX_ORDER_COLUMNS:
        raise errors.InvalidRequest(f"orderBy has more than {results.MAX_ORDER_COLUMNS} columns")
    if len({by.column for by in order}) < len(order):
        raise errors.InvalidRequest("orderBy has a column twice")
    return order


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

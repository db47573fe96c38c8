"""Casts JSON values to Boolean, number or text, and writes a value as a step is told it.

The conversions are flowServ's, as far as a caller can have meant them. Each raises ValueError with a sentence about
the value.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import cast

from flowserverless.domain import validation


def boolean(value: object) -> bool:
    """A Boolean, one of flowServ's texts for it in any case, 0 or 1; null is false."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) or (isinstance(value, int) and value in (0, 1)):
        word = str(value).lower()
        if word in ("1", "t", "true"):
            return True
        if word in ("", "0", "f", "false"):
            return False
    raise ValueError(f"is {validation.shown(value)}, not a Boolean")


def integer(value: object) -> int:
    """3, "3" and 3.0 are integers as in flowServ, which also takes 3.7 for 3 and true for 1."""
    whole = isinstance(value, float) and value.is_integer()
    if whole or (isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", value)):
        value = int(cast("float | str", value))
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    raise ValueError(f"is {validation.shown(value)}, not an integer of at most 64 bits")


def number(value: object, finite: bool) -> float:
    """A number or its text, which web forms send; infinity only as a text and if not `finite`, NaN never."""
    # Python would also read digits of other scripts and "1_000".
    plain_text = isinstance(value, str) and len(value) <= 400 and value.isascii() and "_" not in value
    if (isinstance(value, int | float) and not isinstance(value, bool)) or plain_text:
        try:
            converted = float(cast("int | float | str", value))
        except (ValueError, OverflowError):
            converted = math.nan
        # The handle of a run repeats arguments as they were sent, and JSON has no other way to say infinity.
        sayable = isinstance(value, str) and not finite
        if math.isfinite(converted) or (math.isinf(converted) and sayable):
            return converted
    raise ValueError(f"is {validation.shown(value)}, not a{' finite' if finite else ''} number")


def string(value: object) -> str:
    """A text that an environment variable can carry, or the text of a number or a Boolean; null is none."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("contains a NUL character")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("is not valid Unicode") from None
        return value
    finite = isinstance(value, float) and math.isfinite(value)
    if finite or (isinstance(value, int) and value.bit_length() <= 64):
        return str(value)
    raise ValueError(f"is {validation.shown(value)}, not a text")


def text(value: object) -> str:
    """A value as a step's environment carries it: Python's True and False, lists and records as JSON."""
    if isinstance(value, list | Mapping):
        return json.dumps(json_value(value), ensure_ascii=False)
    return str(value)


def json_value(value: object) -> object:
    """A value as valid JSON can say it: infinities are the texts "inf" and "-inf"."""
    if isinstance(value, list):
        return [json_value(each) for each in value]
    if isinstance(value, Mapping):
        return {name: json_value(each) for name, each in value.items()}
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def same(one: object, other: object) -> bool:
    """Equality as JSON has it: for Python, true is 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other

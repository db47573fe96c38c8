"""Says in sentences what is wrong with a request, because the validator's own words need knowledge of its types."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MAX_LENGTH = 2000
WORDS = {
    "missing": "is missing",
    "string_type": "has to be a text",
    "string_too_short": "has fewer than {min_length} characters",
    "string_too_long": "has more than {max_length} characters",
    "string_unicode": "has half a character, which is no text",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_parsing_size": "has to be a smaller number",
    "int_from_float": "has to be a whole number",
    "greater_than_equal": "has to be at least {ge}",
    "less_than_equal": "has to be at most {le}",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "list_type": "has to be a list",
    "too_long": "has more than {max_length} entries",
    "dict_type": "has to be an object",
    "model_type": "has to be an object",
    "model_attributes_type": "has to be an object",
    "literal_error": "has to be {expected}",
}
# The type of the faults that `unknown` tells of.
UNKNOWN = "unknown_member"
BODY, NO_BODY = "the body", "the body is missing; it has to be a JSON object"
SOURCES = {"query": "query parameter", "path": "path's"}


def sentences(faults: Iterable[Any], document: object = None, above: tuple[str, ...] = ()) -> str:
    """All that is wrong, the place of each fault first.

    `document` is the text in which JSON has a mistake; `above` is where all that was validated stood.
    """
    told = [_sentence({**fault, "loc": (*above, *fault["loc"])}, document) for fault in faults]
    return "; ".join(told)[:MAX_LENGTH] or "the request is not understood"


def _sentence(fault: Mapping[str, Any], document: object) -> str:
    kind, said = str(fault["type"]), fault.get("ctx") or {}
    if kind == "json_invalid":
        return no_json(str(said.get("error", "")), str(document or ""), int(fault["loc"][-1]))
    place, message = _place(fault["loc"]), str(fault["msg"])
    if (kind, place) == ("missing", BODY):
        return NO_BODY
    if kind == "string_too_short" and said.get("min_length") == 1:
        return f"{place} is empty"
    if kind in WORDS:
        return f"{place} {WORDS[kind].format_map(said)}"
    if kind == UNKNOWN:
        return f"{place} {message}"
    return f"{place}: {message.removeprefix('Value error, ')}"


def no_json(message: str, text: str, position: int) -> str:
    """That a text is no JSON, and where; a negative `position` is none."""
    if not text.strip():
        return NO_BODY
    if position < 0:
        return f"the body is not JSON: {message}"
    before = text[:position]
    place = f"line {before.count(chr(10)) + 1}, column {position - before.rfind(chr(10))}"
    return f"the body is not JSON: {message[:1].lower()}{message[1:]} at {place}"


def _place(location: Sequence[Any]) -> str:
    source, *path = location or ("body",)
    if source != "body":
        name = ".".join(map(str, path))[:100]
        return f"the {SOURCES.get(str(source), source)} '{name.title() if source == 'header' else name}'"
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return written.removeprefix(".")[:300] or BODY


def unknown(kind: str, names: Iterable[str], known: Iterable[str]) -> str:
    """That members or parameters are not understood, and which would be."""
    which = [f"'{name[:100]}'" for name in names]
    allowed = ", ".join(f"'{name}'" for name in sorted(known))
    return f"has the unknown {kind}{'s' * (len(which) > 1)} {', '.join(which)}; it takes {allowed or 'none'}"

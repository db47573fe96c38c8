"""References of a template to the parameters of its runs: `$[[name]]` and `$[[name ? yes : no]]`."""

from collections.abc import Iterator

from flowserverless.domain import frozen, validation


@frozen.dataclass
class Reference:
    """`$[[name]]`, or `$[[name ? yes : no]]`, which stands for one of two texts of the organiser."""

    name: str
    yes: str | None = None
    no: str | None = None


def parse(text: str) -> Reference | None:
    """The reference that a text consists of; None if it contains none.

    Raises ValueError for a broken one and for one inside a longer text, which is not replaced.
    """
    if "$[[" not in text:
        return None
    whole = text.strip()
    inner = whole[3:-2]
    name, question, choice = (part.strip() for part in inner.partition("?"))
    framed = whole.startswith("$[[") and whole.endswith("]]")
    if not framed or not name or any(mark in inner for mark in ("$[[", "]]")):
        raise ValueError(f"{validation.shown(text)} is not one whole reference such as $[[name]]")
    if not question:
        return Reference(name)
    yes, colon, no = choice.partition(":")
    return Reference(name, yes.strip(), no.strip() if colon else None)


def names(text: str) -> Iterator[str]:
    """The names in all references of a text, rightly placed or not."""
    start = text.find("$[[")
    while start >= 0 and (end := text.find("]]", start)) >= 0:
        yield text[start + 3 : end].partition("?")[0].strip()
        start = text.find("$[[", end)

"""Reads documents that organisers wrote element by element, so that one look finds every fault."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TypeVar

from flowserverless.domain import frozen


@frozen.dataclass
class Fault:
    """One thing that is wrong or worth a warning, and the place where it stands, such as `parameters[2].dtype`."""

    place: str
    message: str


class Faults(Exception):
    """Everything that was found wrong, with the warnings; raised once, after the whole document was read."""

    def __init__(self, faults: Iterable[Fault], warnings: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.warnings = tuple(warnings)
        super().__init__("; ".join(f"{fault.place}: {fault.message}" for fault in self.faults))


_Kind = TypeVar("_Kind")
# Bounds for every document; real templates have a few hundred values, nested six deep.
MAX_VALUES = 10_000
MAX_DEPTH = 32
# In characters of all texts and names together: a template is kept in one item of the table, of at most 400 KB.
MAX_TEXT = 200_000
# What is a Boolean in YAML 1.1, and so for flowServ, and a text in YAML 1.2.
WORDS = {"yes": True, "on": True, "no": False, "off": False}
# The place of a document itself.
WHOLE = "document"


class Word(str):
    """One of WORDS as it stands in a YAML file without quotes: a text, and a Boolean where one is asked for."""

    __slots__ = ()

    @property
    def meant(self) -> bool:
        """The Boolean."""
        return WORDS[self.lower()]


@frozen.dataclass
class Reader:
    """One object of a document, the place where it stands, and the lists to which its faults and warnings are added.

    Each method reads one element. One of the wrong type is a fault, and the answer then that of a missing one.
    """

    document: Mapping[str, object]
    place: str
    found: list[Fault]
    warned: list[Fault] = field(default_factory=list)

    def at(self, element: str) -> str:
        """The place of an element of this object."""
        return f"{self.place}.{element}" if self.place else element

    def fault(self, element: str, message: str) -> None:
        """Note what is wrong with an element; the empty name stands for the object itself."""
        self.found.append(self._fault(element, message))

    def warn(self, element: str, message: str) -> None:
        """Note what an organiser should know of an element and what refuses nothing."""
        self.warned.append(self._fault(element, message))

    def _fault(self, element: str, message: str) -> Fault:
        return Fault((self.at(element) if element else self.place) or WHOLE, message)

    def refuse_unknown(self, *known: str, old: Mapping[str, str] | None = None) -> None:
        """Note every element with another name: what nobody reads was meant to be something else.

        `old` has the names that flowServ's templates had once, each with a sentence about what it is now.
        """
        for element in self.document:
            if element not in known:
                told = f"is of the old form of templates: {old[element]}; it " if old and element in old else ""
                self.fault(clipped(element), f"{told}is not one of {', '.join(known)}")

    def text(self, element: str) -> str | None:
        """An optional text."""
        return self._typed(element, str, "a text")

    def required_text(self, element: str) -> str:
        """A text that must be there and not be blank."""
        text = self.text(element)
        if text is not None and text.strip():
            return text
        if self.document.get(element) is None or text is not None:
            self.fault(element, "is missing" if text is None else "must not be empty")
        return ""

    def flag(self, element: str, default: bool) -> bool:
        """A Boolean."""
        word = self.document.get(element)
        if isinstance(word, Word):
            return word.meant
        flag = self._typed(element, bool, "true or false")
        return default if flag is None else flag

    def integer(self, element: str) -> int | None:
        """An optional whole number."""
        number = self._typed(element, int, "an integer")
        if isinstance(number, bool):
            self.fault(element, f"is {shown(number)}, must be an integer")
            return None
        return number

    def child(self, element: str) -> "Reader | None":
        """A reader of an optional object."""
        value = self.document.get(element)
        if value is None:
            return None
        return reader(value, self.at(element), self.found, self.warned)

    def items(self, element: str) -> Sequence[object] | None:
        """An optional list."""
        return self._typed(element, list, "a list")

    def objects(self, element: str) -> "Iterator[Reader]":
        """A reader for each object of an optional list."""
        for index, value in enumerate(self.items(element) or ()):
            each = reader(value, f"{self.at(element)}[{index}]", self.found, self.warned)
            if each is not None:
                yield each

    def texts(self, element: str) -> "Iterator[tuple[str, str]]":
        """Each text of an optional list, with its place."""
        for index, value in enumerate(self.items(element) or ()):
            here = f"{self.at(element)}[{index}]"
            if isinstance(value, str) and value.strip():
                yield here, value
            else:
                self.found.append(Fault(here, f"is {shown(value)}, must be a text"))

    def _typed(self, element: str, kind: type[_Kind], name: str) -> _Kind | None:
        value = self.document.get(element)
        if value is None or isinstance(value, kind):
            return value
        self.fault(element, f"is {shown(value)}, must be {name}")
        return None


def reader(value: object, place: str, found: list[Fault], warned: list[Fault] | None = None) -> Reader | None:
    """A reader of what should be an object; None, and a fault, if it is none."""
    if isinstance(value, Mapping):
        return Reader(value, place, found, [] if warned is None else warned)
    found.append(Fault(place or WHOLE, f"is {shown(value)}, must be an object"))
    return None


def require_json(document: object, place: str = "") -> None:
    """Raise faults.Faults unless the value is JSON of a bounded size that every store and client can carry.

    Readers rely on it: names are texts, numbers finite and of 64 bits, texts Unicode without NUL.
    """
    found: list[Fault] = []
    values = length = 0
    # A loop, not a recursion: the stranger decides how deeply the document is nested, or that it contains itself.
    pending: list[tuple[object, str, int]] = [(document, place, 0)]
    while pending:
        value, here, depth = pending.pop()
        values += 1
        length += len(value) if isinstance(value, str) else 0
        if depth > MAX_DEPTH or values > MAX_VALUES or length > MAX_TEXT:
            found.append(Fault(place or WHOLE, "is nested too deeply or too large"))
            break
        if isinstance(value, Mapping):
            for name, each in value.items():
                problem = _problem(name) if isinstance(name, str) else f"is named {shown(name)}, not by a text"
                if problem:
                    found.append(Fault(here or WHOLE, f"has an element that {problem}"))
                length += len(name) if isinstance(name, str) else 0
                below = clipped(name) if isinstance(name, str) else shown(name)
                pending.append((each, f"{here}.{below}" if here else below, depth + 1))
        elif isinstance(value, list):
            pending += [(each, f"{here}[{index}]", depth + 1) for index, each in enumerate(value)]
        elif problem := _problem(value):
            found.append(Fault(here or WHOLE, problem))
    if found:
        raise Faults(found)


def shown(value: object) -> str:
    """A value in an explanation: short, and never an error, whatever it is."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else repr(value[:40]) + "..."
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 100 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return str(value)
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def clipped(name: str) -> str:
    """A stranger's name for something, short enough for a message and safe to be stored."""
    safe = name if name.isprintable() else repr(name)[1:-1]
    return safe if len(safe) <= 60 else safe[:60] + "..."


def _problem(value: object) -> str | None:
    if isinstance(value, str):
        return _text_problem(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, which JSON cannot say"
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return "is an integer of more than 64 bits"
    if value is None or isinstance(value, bool | int | float):
        return None
    return f"is {shown(value)}, which JSON cannot say"


def _text_problem(text: str) -> str | None:
    if "\0" in text:
        return "contains a NUL character"
    # Half of a surrogate pair, which JSON can spell and UTF-8 cannot.
    return "is not valid Unicode" if any("\ud800" <= letter <= "\udfff" for letter in text) else None

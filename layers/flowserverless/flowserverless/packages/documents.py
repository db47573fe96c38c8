"""The JSON and YAML documents of a package, with `!include`, and the line of the file where each element stands.

YAML is read as the JSON that it spells, by the core schema of YAML 1.2: no dates, no objects, `no` is a text. PyYAML,
and so flowServ, reads YAML 1.1; whatever means something else there gets a warning. Of an element that is given twice
the last one counts, with a warning too. Aliases and includes can make a small file describe a huge document, so what
they would amount to is counted before any of it is built.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from flowserverless.domain import frozen, paths, validation

# In bytes, of all documents of a package together: PyYAML takes some seconds for this much.
MAX_BYTES = 256 * 1024
# Names of elements weigh, too.
HEAVIEST = 2 * validation.MAX_VALUES
MAX_INCLUDE_DEPTH = 8
# Python converts no more digits.
MAX_NUMBER_LENGTH = 4300
TOO_LARGE = "is nested too deeply or too large"
LAST = "the last one counts"
TWICE = f"is given a second time: {LAST}"
# What is longer is no number, date or Boolean that anybody wrote by hand.
MAX_COMPARED_LENGTH = 100


@frozen.dataclass
class Document:
    """What a file says, of how many values (`weight`), and the `file:line` of the element at each place.

    `warnings` are of the file itself, not of those that it includes.
    """

    value: object
    name: str
    weight: int = 1
    lines: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[validation.Fault, ...] = ()

    def at(self, place: str) -> str:
        """The place of an element for people: the line where it, or else what it belongs to, is written."""
        place = "" if place == validation.WHOLE else place
        above = place
        while above not in self.lines and above:
            above = above[: max(above.rfind("."), above.rfind("["), 0)]
        return f"{self.lines.get(above, self.name)} {place}".rstrip()


class Documents:
    """The documents of a package, each read once; `content` gives a file's bytes or raises ValueError."""

    def __init__(self, content: Callable[[str], bytes]) -> None:
        self._content = content
        self._read: dict[str, Document] = {}
        self._open: list[str] = []
        self._size = 0
        self.warned: list[validation.Fault] = []

    def load(self, name: str) -> Document:
        """The document in the file `name`; raises faults.Faults."""
        try:
            return self._load(name)
        except ValueError as error:
            raise _broken(name, str(error)) from None

    def _load(self, name: str) -> Document:
        """As `load`, but raises ValueError if there is no such document: the fault is that of who asks."""
        if name in self._open:
            raise ValueError("includes itself")
        if len(self._open) > MAX_INCLUDE_DEPTH:
            raise ValueError(f"is included by more than {MAX_INCLUDE_DEPTH} files in each other")
        if name not in self._read:
            self._open.append(name)
            try:
                self._read[name] = self._parse(name, self._content(name))
                self.warned += self._read[name].warnings
            finally:
                self._open.pop()
        return self._read[name]

    def _parse(self, name: str, content: bytes) -> Document:
        self._size += len(content)
        if self._size > MAX_BYTES:
            raise ValueError(f"makes the documents of the package larger than {MAX_BYTES} bytes")
        if name.endswith(".json"):
            return _json(content, name)
        if name.endswith((".yaml", ".yml")):
            return _yaml(content, name, lambda path: self._load(paths.normalise(path)))
        try:
            return Document(content.decode("utf-8-sig"), name)
        except UnicodeDecodeError:
            raise ValueError("is not a text in UTF-8") from None


def plain_yaml(content: bytes) -> object:
    """The value of a YAML file that stands alone, such as a result file; raises ValueError."""
    try:
        return _yaml(content, "YAML", None).value
    except validation.Faults as error:
        raise ValueError(str(error)) from None


def _json(content: bytes, name: str) -> Document:
    twice: list[str] = []

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        twice.extend(element for element, times in Counter(element for element, _ in pairs).items() if times > 1)
        return dict(pairs)

    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=members)
    except json.JSONDecodeError as error:
        raise _broken(f"{name}:{error.lineno}", f"is not JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise _broken(name, "is not a text in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise _broken(name, f"cannot be read: {error}") from None
    # Every value but the first comes after one of these.
    weight = 1 + sum(content.count(mark) for mark in (b",", b"[", b"{"))
    return Document(value, name, weight, warnings=_given_twice(content, name, twice) if twice else ())


def _given_twice(content: bytes, name: str, twice: Iterable[str]) -> tuple[validation.Fault, ...]:
    """A warning of each element that a JSON file has twice in an object, with its line if YAML can read it, too."""
    try:
        found = [warning for warning in _yaml(content, name, None).warnings if warning.message == TWICE]
    except validation.Faults:
        found = [
            validation.Fault(name, f"has the element '{validation.clipped(each)}' twice: {LAST}") for each in twice
        ]
    return tuple(found)


CORE = "tag:yaml.org,2002:"
MERGE = f"{CORE}merge"
NUMBERS = (f"{CORE}int", f"{CORE}float")
JSON_TAGS = (*NUMBERS, *(f"{CORE}{kind}" for kind in ("null", "bool", "str", "seq", "map")))
# The core schema of YAML 1.2, section 10.3.2, with the first letters of each form; and merge keys, which templates use.
FORMS = {
    f"{CORE}null": (re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]),
    f"{CORE}bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")),
    f"{CORE}int": (re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), list("-+0123456789")),
    f"{CORE}float": (
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        list("-+.0123456789"),
    ),
    MERGE: (re.compile(r"<<\Z"), ["<"]),
}
SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class _Loader(yaml.SafeLoader):
    """YAML as JSON: what would be a date is a text, and a tag for anything else is a fault.

    `plain` holds the ids of the scalars whose form alone decides what they are.
    """

    include: Callable[[str], Document] | None = None
    _nodes = _depth = 0

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.plain: set[int] = set()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # PyYAML would read on for minutes and recurse until the interpreter stops it.
        self._nodes, self._depth = self._nodes + 1, self._depth + 1
        if self._nodes > HEAVIEST or self._depth > validation.MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, TOO_LARGE, self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.ScalarEvent) and isinstance(node, yaml.ScalarNode):
            # JSON spells a letter beyond U+FFFF as two escapes, which PyYAML takes for two letters.
            node.value = SURROGATES.sub(_joined, node.value)
            self.plain |= {id(node)} if event.implicit[0] else set()
        self._depth -= 1
        return node

    def construct_number(self, node: yaml.ScalarNode) -> object:
        text = self._text(node, "number")
        if node.tag == f"{CORE}int":
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        return float(text.replace(".", "") if text[-1] in "fFnN" else text)

    def construct_boolean(self, node: yaml.ScalarNode) -> object:
        return self._text(node, "Boolean").lower() == "true"

    def construct_string(self, node: yaml.ScalarNode) -> object:
        text = str(self.construct_scalar(node))
        return validation.Word(text) if id(node) in self.plain and text.lower() in validation.WORDS else text

    def _text(self, node: yaml.ScalarNode, kind: str) -> str:
        """A text of the form that its tag asks for, which somebody may have written before anything at all."""
        text = str(self.construct_scalar(node))
        if len(text) > MAX_NUMBER_LENGTH or not FORMS[node.tag][0].match(text):
            problem = f"cannot be read: {validation.shown(text)} is no {kind}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return text

    def construct_include(self, node: yaml.Node) -> object:
        return self.included(node).value

    def included(self, node: yaml.Node) -> Document:
        if self.include is None or not isinstance(node, yaml.ScalarNode):
            problem = "only a file of the same package can be included"
        else:
            try:
                return self.include(node.value)
            except ValueError as error:
                problem = f"{validation.shown(node.value)} {error}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_Loader.yaml_constructors = {
    tag: construct for tag, construct in yaml.SafeLoader.yaml_constructors.items() if tag in JSON_TAGS or tag is None
}
_Loader.add_constructor("!include", _Loader.construct_include)
for tag in NUMBERS:
    _Loader.add_constructor(tag, _Loader.construct_number)
_Loader.add_constructor(f"{CORE}bool", _Loader.construct_boolean)
_Loader.add_constructor(f"{CORE}str", _Loader.construct_string)
_Loader.yaml_implicit_resolvers = {}
for tag, (form, first) in FORMS.items():
    _Loader.add_implicit_resolver(tag, form, first)


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _yaml(content: bytes, name: str, include: Callable[[str], Document] | None) -> Document:
    try:
        loader = _Loader(content)
        loader.include = include
        node = loader.get_single_node()
        if node is None:
            raise _broken(name, "is empty")
        weight = _Weigher(loader, name).weigh(node)
        # Before merge keys are replaced by what they stand for.
        warnings = tuple(_Differences(loader, name).of(node, ""))
        value = loader.construct_document(node)
        return Document(value, name, weight, dict(_lines(loader, node, name, "")), warnings)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem if error.problem == TOO_LARGE else f"cannot be read: {error.problem}"
        raise _broken(f"{name}:{mark.line + 1}" if mark else name, problem) from None
    # What PyYAML lets through when a tag and its text do not fit, as in `!!int ""`.
    except (yaml.YAMLError, ValueError, LookupError) as error:
        raise _broken(name, f"cannot be read: {error}") from None


@dataclass
class _Weigher:
    """Counts the values of a document as they would be with aliases and includes in place, each node once."""

    loader: _Loader
    name: str
    weights: dict[int, int] = field(default_factory=dict)

    def weigh(self, node: yaml.Node) -> int:
        known = self.weights.get(id(node))
        if known is not None:
            return known
        # Until it is known, a node that contains itself weighs more than any document may.
        self.weights[id(node)] = HEAVIEST + 1
        if node.tag == "!include":
            weight = self.loader.included(node).weight
        elif isinstance(node, yaml.MappingNode):
            weight = 1 + sum(self.weigh(each) for pair in node.value for each in pair)
        elif isinstance(node, yaml.SequenceNode):
            weight = 1 + sum(self.weigh(each) for each in node.value)
        else:
            weight = 1
        if weight > HEAVIEST:
            raise _broken(f"{self.name}:{node.start_mark.line + 1}", TOO_LARGE)
        self.weights[id(node)] = weight
        return weight


@dataclass
class _Differences:
    """Warns of what flowServ reads differently, and of elements that are given twice, each node once."""

    loader: _Loader
    name: str
    seen: set[int] = field(default_factory=set)

    def of(self, node: yaml.Node, place: str) -> Iterator[validation.Fault]:
        if id(node) in self.seen:
            return
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield from self._members(node, place)
        elif isinstance(node, yaml.SequenceNode):
            for index, each in enumerate(node.value):
                yield from self.of(each, f"{place}[{index}]")
        elif id(node) in self.loader.plain and (text := _difference(self.loader, node)):
            yield self._warning(node, place, text)

    def _members(self, node: yaml.MappingNode, place: str) -> Iterator[validation.Fault]:
        known: set[str] = set()
        for key, value in node.value:
            name = validation.clipped(key.value) if isinstance(key, yaml.ScalarNode) else ""
            here = f"{place}.{name}" if place else name
            if name and key.tag != MERGE and key.value in known:
                yield self._warning(key, here, TWICE)
            known |= {key.value} if name else set()
            if key.tag != MERGE:
                yield from self.of(key, here)
            yield from self.of(value, here)

    def _warning(self, node: yaml.Node, place: str, text: str) -> validation.Fault:
        return validation.Fault(f"{self.name}:{node.start_mark.line + 1} {place}".rstrip(), text)


_YAML_1_1 = yaml.SafeLoader("")


def _difference(loader: _Loader, node: yaml.Node) -> str | None:
    """What a plain scalar is in YAML 1.1 and no longer is; None if it is the same."""
    if len(node.value) > MAX_COMPARED_LENGTH:
        return None
    tag = _YAML_1_1.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
    now = loader.construct_object(node)
    try:
        then = yaml.SafeLoader.yaml_constructors[tag](_YAML_1_1, yaml.ScalarNode(tag, node.value))
    except (ValueError, LookupError, yaml.YAMLError):
        # No value of YAML 1.1 at all, such as a 30th of February.
        return None
    # A date passes for the text that spells it.
    if (type(now), now) == (type(then), then) or str(now) == str(then):
        return None
    asked = " (unless true or false is asked for)" if isinstance(now, validation.Word) else ""
    both = f"is {validation.shown(now)} as in YAML 1.2{asked}, and {validation.shown(then)} for flowServ"
    return f"{both}; in quotes it is a text for both"


def _lines(loader: _Loader, node: yaml.Node, name: str, place: str) -> Iterator[tuple[str, str]]:
    """The line of every element below a node, by its place."""
    yield place, f"{name}:{node.start_mark.line + 1}"
    if node.tag == "!include":
        for below, line in loader.included(node).lines.items():
            yield place + (f".{below}" if place and below and not below.startswith("[") else below), line
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                element = validation.clipped(key.value)
                yield from _lines(loader, value, name, f"{place}.{element}" if place else element)
    elif isinstance(node, yaml.SequenceNode):
        for index, each in enumerate(node.value):
            yield from _lines(loader, each, name, f"{place}[{index}]")


def _broken(place: str, message: str) -> validation.Faults:
    return validation.Faults([validation.Fault(place, message)])

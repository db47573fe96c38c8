"""The JSON and YAML documents of a package, with `!include`, and the line of the file where each element stands.

YAML is read as the JSON that it spells: no dates, no objects, no element twice. Aliases and includes can make
a small file describe a huge document, so what they would amount to is counted before any of it is built.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from flowserverless.domain import elements, faults, paths

# In bytes, of all documents of a package together: PyYAML takes some seconds for this much.
LARGEST = 256 * 1024
# Names of elements weigh, too.
HEAVIEST = 2 * elements.MOST_VALUES
DEEPEST_INCLUDE = 8
# Python converts no more digits.
LONGEST_NUMBER = 4300
TOO_LARGE = "is nested too deeply or too large"


@dataclass(frozen=True)
class Document:
    """What a file says, of how many values (`weight`), and the `file:line` of the element at each place."""

    value: object
    name: str
    weight: int = 1
    lines: Mapping[str, str] = field(default_factory=dict)

    def at(self, place: str) -> str:
        """The place of an element for people: the line where it, or else what it belongs to, is written."""
        place = "" if place == elements.WHOLE else place
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
        self.warned: list[faults.Fault] = []

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
        if len(self._open) > DEEPEST_INCLUDE:
            raise ValueError(f"is included by more than {DEEPEST_INCLUDE} files in each other")
        if name not in self._read:
            self._open.append(name)
            try:
                self._read[name] = self._parse(name, self._content(name))
            finally:
                self._open.pop()
        return self._read[name]

    def _parse(self, name: str, content: bytes) -> Document:
        self._size += len(content)
        if self._size > LARGEST:
            raise ValueError(f"makes the documents of the package larger than {LARGEST} bytes")
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
    except faults.Faults as error:
        raise ValueError(str(error)) from None


def _json(content: bytes, name: str) -> Document:
    found: list[faults.Fault] = []

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        for element, times in Counter(element for element, _ in pairs).items():
            if times > 1:
                found.append(faults.Fault(name, f"has the element '{elements.clipped(element)}' twice in an object"))
        return dict(pairs)

    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=members)
    except json.JSONDecodeError as error:
        raise _broken(f"{name}:{error.lineno}", f"is not JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise _broken(name, "is not a text in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise _broken(name, f"cannot be read: {error}") from None
    if found:
        raise faults.Faults(found)
    # Every value but the first comes after one of these.
    return Document(value, name, 1 + sum(content.count(mark) for mark in (b",", b"[", b"{")))


CORE = "tag:yaml.org,2002:"
MERGE = f"{CORE}merge"
NUMBERS = (f"{CORE}int", f"{CORE}float")
JSON_TAGS = (*NUMBERS, *(f"{CORE}{kind}" for kind in ("null", "bool", "str", "seq", "map")))


class _Loader(yaml.SafeLoader):
    """YAML as JSON: what would be a date is a text, and a tag for anything else is a fault."""

    include: Callable[[str], Document] | None = None
    _nodes = _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # PyYAML would read on for minutes and recurse until the interpreter stops it.
        self._nodes, self._depth = self._nodes + 1, self._depth + 1
        if self._nodes > HEAVIEST or self._depth > elements.DEEPEST:
            raise yaml.composer.ComposerError(None, None, TOO_LARGE, self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: object) -> str:
        # YAML 1.1 takes 12:30 for a number to the base of 60.
        tag: str = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        return f"{CORE}str" if tag in NUMBERS and ":" in (value or "") else tag

    def construct_number(self, node: yaml.ScalarNode) -> object:
        text = str(self.construct_scalar(node))
        if ":" in text or len(text) > LONGEST_NUMBER:
            raise yaml.constructor.ConstructorError(None, None, f"{elements.shown(text)} is no number", node.start_mark)
        return yaml.SafeLoader.yaml_constructors[node.tag](self, node)

    def construct_include(self, node: yaml.Node) -> object:
        return self.included(node).value

    def included(self, node: yaml.Node) -> Document:
        if self.include is None or not isinstance(node, yaml.ScalarNode):
            problem = "only a file of the same package can be included"
        else:
            try:
                return self.include(node.value)
            except ValueError as error:
                problem = f"{elements.shown(node.value)} {error}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_Loader.yaml_constructors = {
    tag: construct for tag, construct in yaml.SafeLoader.yaml_constructors.items() if tag in JSON_TAGS or tag is None
}
_Loader.add_constructor("!include", _Loader.construct_include)
for tag in NUMBERS:
    _Loader.add_constructor(tag, _Loader.construct_number)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag in (*JSON_TAGS, MERGE)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _yaml(content: bytes, name: str, include: Callable[[str], Document] | None) -> Document:
    try:
        loader = _Loader(content)
        loader.include = include
        node = loader.get_single_node()
        if node is None:
            raise _broken(name, "is empty")
        found: list[faults.Fault] = []
        weight = _Weigher(loader, name, found).weigh(node)
        if found:
            raise faults.Faults(found)
        value = loader.construct_document(node)
        return Document(value, name, weight, dict(_lines(loader, node, name, "")))
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
    found: list[faults.Fault]
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
            self._refuse_twice(node)
            weight = 1 + sum(self.weigh(each) for pair in node.value for each in pair)
        elif isinstance(node, yaml.SequenceNode):
            weight = 1 + sum(self.weigh(each) for each in node.value)
        else:
            weight = 1
        if weight > HEAVIEST:
            raise _broken(f"{self.name}:{node.start_mark.line + 1}", TOO_LARGE)
        self.weights[id(node)] = weight
        return weight

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        known: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                if key.value in known:
                    place = f"{self.name}:{key.start_mark.line + 1}"
                    self.found.append(faults.Fault(place, f"has '{elements.clipped(key.value)}' a second time"))
                known.add(key.value)


def _lines(loader: _Loader, node: yaml.Node, name: str, place: str) -> Iterator[tuple[str, str]]:
    """The line of every element below a node, by its place."""
    yield place, f"{name}:{node.start_mark.line + 1}"
    if node.tag == "!include":
        for below, line in loader.included(node).lines.items():
            yield place + (f".{below}" if place and below and not below.startswith("[") else below), line
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                element = elements.clipped(key.value)
                yield from _lines(loader, value, name, f"{place}.{element}" if place else element)
    elif isinstance(node, yaml.SequenceNode):
        for index, each in enumerate(node.value):
            yield from _lines(loader, each, name, f"{place}[{index}]")


def _broken(place: str, message: str) -> faults.Faults:
    return faults.Faults([faults.Fault(place, message)])

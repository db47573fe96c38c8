"""Documents that nobody meant to write: any JSON, and good documents with something in them exchanged."""

import copy
from collections.abc import Iterator

from hypothesis import strategies as st

# Texts that mean something to one of the readers, so that what is made of them gets past the first check.
WORDS = st.sampled_from(
    [
        "name",
        "value",
        "$file",
        "$[[names]]",
        "$[[",
        "]]",
        "../x",
        "a/b",
        "[0,1)",
        "inf",
        "nan",
        "true",
        "\0",
        "int",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([2**63, 2**64, 10**400, -(10**4000)])
    | st.text(max_size=10)
    | st.characters(categories=["Cs"])
    | WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def _places(value: object, place: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield place
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _places(each, (*place, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _places(each, (*place, index))


@st.composite
def mutations(draw, document):
    """`document` with up to three elements removed, exchanged, doubled or added."""
    mutant = [copy.deepcopy(document)]
    for _ in range(draw(st.integers(1, 3))):
        place = (0, *draw(st.sampled_from(sorted(_places(mutant[0]), key=repr))))
        parent = _parent(mutant, place[1:])
        match draw(st.sampled_from(["exchange", "remove", "double", "add"])):
            case "remove" if isinstance(parent, dict):
                del parent[place[-1]]
            case "double" if isinstance(parent, list) and parent is not mutant:
                parent.append(copy.deepcopy(parent[place[-1]]))
            case "add" if isinstance(parent[place[-1]], dict):
                parent[place[-1]][draw(WORDS)] = draw(VALUES)
            case _:
                parent[place[-1]] = draw(VALUES)
    return mutant[0]


def exchanges(document: object) -> Iterator[object]:
    """`document` with one element exchanged or removed: every element, and a value of every type."""
    for place in list(_places(document)):
        for value in (None, [], {}, 5, 1.5, True, "x", [[]], {"x": []}):
            changed = [copy.deepcopy(document)]
            _parent(changed, place)[(0, *place)[-1]] = copy.deepcopy(value)
            yield changed[0]
        if place:
            changed = [copy.deepcopy(document)]
            del _parent(changed, place)[place[-1]]
            yield changed[0]


def _parent(holder: list[object], place: tuple[object, ...]) -> object:
    parent = holder
    for step in (0, *place)[:-1]:
        parent = parent[step]
    return parent


def nested(depth: int, wrap: str) -> object:
    """Something `depth` deep: lists or objects in each other."""
    value: object = 1
    for _ in range(depth):
        value = [value] if wrap == "list" else {"value": value}
    return value

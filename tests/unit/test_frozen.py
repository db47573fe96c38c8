"""A class declared by `frozen.dataclass` is what `dataclass(frozen=True)` makes of it."""

import copy
import dataclasses
import pickle

import pytest

from flowserverless.domain import frozen


class Declared:
    """The fields of both."""

    name: str
    parts: tuple[int, ...] = ()
    note: str = dataclasses.field(default="", compare=False)
    secret: str = dataclasses.field(default="", repr=False)
    listed: object = dataclasses.field(default_factory=list, compare=False)

    def shout(self):
        return self.name.upper()


def declared(decorator):
    return decorator(type("Thing", (), dict(Declared.__dict__)))


OURS, THEIRS = declared(frozen.dataclass), declared(dataclasses.dataclass(frozen=True))
ARGUMENTS = [("a",), ("a", (1,)), ("a", (1,), "x"), ("a", (1,), "x", "y"), ("b", (1,), "x", "y"), ("a", (1,), "z", "y")]


@pytest.mark.parametrize("one", ARGUMENTS)
@pytest.mark.parametrize("other", ARGUMENTS)
def test_equality_hashes_and_texts_are_those_of_a_dataclass(one, other):
    assert (OURS(*one) == OURS(*other)) is (THEIRS(*one) == THEIRS(*other))
    assert (OURS(*one) != OURS(*other)) is (THEIRS(*one) != THEIRS(*other))
    assert (hash(OURS(*one)) == hash(OURS(*other))) is (hash(THEIRS(*one)) == hash(THEIRS(*other)))
    assert repr(OURS(*one)) == repr(THEIRS(*one))


def test_it_is_equal_to_nothing_of_another_class():
    assert OURS("a") != THEIRS("a")
    assert OURS("a").__eq__("a") is NotImplemented


def test_it_cannot_be_changed_and_what_holds_a_list_cannot_be_hashed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        OURS("a").name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del OURS("a").name
    with pytest.raises(TypeError, match="unhashable"):
        hash(OURS("a", [1]))


def test_the_functions_of_dataclasses_take_it():
    made = OURS("a", (1,), "x")
    assert dataclasses.is_dataclass(made)
    assert dataclasses.replace(made, name="b") == OURS("b", (1,))
    assert dataclasses.asdict(made) == dataclasses.asdict(THEIRS("a", (1,), "x"))
    assert OURS.__match_args__ == THEIRS.__match_args__
    assert made.shout() == "A"


def test_a_method_of_its_own_stays():
    @frozen.dataclass
    class Loud:
        name: str

        def __repr__(self):
            return "loud"

    assert repr(Loud("a")) == "loud"


@frozen.dataclass
class Kept:
    """What can be pickled has a name in its module."""

    name: str


def test_it_can_be_copied_and_pickled():
    assert copy.copy(Kept("a")) == Kept("a")
    assert pickle.loads(pickle.dumps(Kept("a"))) == Kept("a")

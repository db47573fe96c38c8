"""Rank keys against a plain, slow, obviously right comparison of the values themselves."""

import functools
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain import errors
from flowserverless.domain.ranking import rank_keys, results, standing

MOMENT = datetime(2026, 11, 23, 5, 59, 54, 511867, UTC)
LARGEST = 2**63 - 1
SMALLEST = -(2**63)


@dataclass(frozen=True)
class Run:
    run: str
    group: str
    finished_at: datetime
    values: results.Values


def a_schema(*dtypes, descending=True):
    columns = tuple(
        results.Column(f"c{index}", f"C{index}", dtype, (f"c{index}",)) for index, dtype in enumerate(dtypes)
    )
    order = tuple(results.OrderBy(column.name, descending) for column in columns)
    return results.ResultSchema("results.json", columns, order)


def is_missing(value):
    return value is None or (isinstance(value, float) and math.isnan(value))


def plainly(schema, order):
    """Compare two runs as the rules say it, with Python's own comparisons and no keys."""
    position = {column.name: index for index, column in enumerate(schema.columns)}

    def compare_values(one, other):
        for by in order:
            a, b = one.values[position[by.column]], other.values[position[by.column]]
            if is_missing(a) or is_missing(b):
                if is_missing(a) != is_missing(b):
                    return 1 if is_missing(a) else -1
            elif a != b:
                return -1 if (a > b) == by.descending else 1
        return 0

    def compare(one, other):
        by_value = compare_values(one, other)
        if by_value:
            return by_value
        ones, others = (one.finished_at, one.run), (other.finished_at, other.run)
        return (ones > others) - (ones < others)

    return compare_values, compare


# Few distinct values among many, so that ties, prefixes and neighbours are the rule and not the exception.
VALUES = {
    "int": st.one_of(
        st.none(),
        st.sampled_from([0, 1, -1, LARGEST, LARGEST - 1, SMALLEST, SMALLEST + 1, 2**53, 2**53 + 1, 16, 255, 256]),
        st.integers(SMALLEST, LARGEST),
    ),
    "float": st.one_of(
        st.none(),
        st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.0, math.nextafter(1.0, 2.0), -1.0]),
        st.sampled_from([math.inf, -math.inf, math.nan, -math.nan, 1.7976931348623157e308, 2.2250738585072014e-308]),
        st.floats(),
    ),
    "string": st.one_of(
        st.none(),
        st.text(alphabet="ab\x00", max_size=3),
        st.text(alphabet="az~!#\x7f\x80é\ud7ff\ue000\uffff\U00010000\U0010ffff", max_size=4),
        st.text(max_size=20),
    ),
}
MOMENTS = st.sampled_from([MOMENT, MOMENT + timedelta(microseconds=1), datetime(2026, 11, 22, 23, 59, 59, 999999, UTC)])
GROUPS = st.sampled_from(["alpha", "beta", "gamma"])


@st.composite
def boards(draw):
    """A schema, an order over some of its columns, and runs with distinct ids in any order."""
    dtypes = draw(st.lists(st.sampled_from(results.DTYPES), min_size=1, max_size=4))
    schema = a_schema(*dtypes)
    chosen = draw(st.lists(st.sampled_from(schema.columns), min_size=1, unique_by=lambda column: column.name))
    order = tuple(results.OrderBy(column.name, draw(st.booleans())) for column in chosen)
    rows = draw(st.lists(st.tuples(GROUPS, MOMENTS, *[VALUES[dtype] for dtype in dtypes]), max_size=12))
    numbers = draw(st.permutations(range(len(rows))))
    runs = [
        Run(f"{group}-{number:026d}", group, moment, tuple(values))
        for number, (group, moment, *values) in zip(numbers, rows, strict=True)
    ]
    return schema, order, runs


@given(boards())
def test_the_order_of_keys_is_the_order_of_a_plain_comparison(board):
    schema, order, runs = board
    _, compare = plainly(schema, order)

    by_key = sorted(runs, key=lambda run: rank_keys.key(schema, run.values, run.finished_at, run.run, order))

    assert by_key == sorted(runs, key=functools.cmp_to_key(compare))


@given(boards())
def test_keys_share_their_value_part_exactly_when_the_values_are_equal(board):
    schema, order, runs = board
    compare_values, _ = plainly(schema, order)
    encode = rank_keys.encoder(schema, order)
    parts = [rank_keys.value_part(encode(run.values, run.finished_at, run.run)) for run in runs]

    for one, its_part in zip(runs, parts, strict=True):
        for other, other_part in zip(runs, parts, strict=True):
            assert (its_part == other_part) == (compare_values(one, other) == 0)


@given(st.data(), st.booleans(), st.integers(1, 8))
def test_long_texts_are_ordered_by_the_bytes_that_have_room(data, descending, columns):
    room = 400 // columns
    schema = a_schema(*["string"] * columns, descending=descending)
    beginning = data.draw(st.text(alphabet="aé€\U0001f600", min_size=room // 4, max_size=room))
    ending = st.text(alphabet="az\x00é€\U0001f600", max_size=6)
    one, other = beginning + data.draw(ending), beginning + data.draw(ending)

    parts = [
        rank_keys.value_part(rank_keys.key(schema, ("",) * (columns - 1) + (text,), MOMENT, "g-1"))
        for text in (one, other)
    ]

    assert (parts[0] == parts[1]) == (one.encode()[:room] == other.encode()[:room])
    if parts[0] != parts[1]:
        assert (parts[0] < parts[1]) == ((one > other) if descending else (one < other))


def test_a_character_on_the_border_of_the_room_keeps_texts_in_order():
    schema = a_schema("string", descending=False)
    texts = ["a" * 399 + last for last in ("", "z", "é", "é!", "€", "\U0001f600")]

    keys = [rank_keys.key(schema, (text,), MOMENT, f"g-{9 - index}") for index, text in enumerate(texts)]

    assert keys[:3] == sorted(keys[:3])
    assert rank_keys.value_part(keys[2]) == rank_keys.value_part(keys[3])
    assert keys[3] < keys[4] < keys[5]


@given(st.lists(st.sampled_from(results.DTYPES), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_the_longest_key_fits_a_sort_key(dtypes, descending, missing):
    schema = a_schema(*dtypes, descending=descending)
    longest = {"int": SMALLEST, "float": -math.inf, "string": "\U0010ffff" * results.MAX_TEXT_LENGTH}
    values = tuple(None if missing else longest[dtype] for dtype in dtypes)

    key = rank_keys.key(schema, values, MOMENT, "7" * 26 + "-" + "g" * 32)

    assert len(key) <= 1024
    assert key.isascii()
    assert key.isprintable()


# Keys are stored: these must never change for a board that exists.
@pytest.mark.parametrize(
    ("dtype", "descending", "value", "written"),
    [
        ("int", False, 0, "08000000000000000"),
        ("int", False, 255, "080000000000000ff"),
        ("int", False, SMALLEST, "00000000000000000"),
        ("int", False, LARGEST, "0ffffffffffffffff"),
        ("int", True, 255, "07fffffffffffff00"),
        ("float", False, 1.0, "0bff0000000000000"),
        ("float", True, 1.0, "0400fffffffffffff"),
        ("float", False, -0.0, "08000000000000000"),
        ("float", False, -math.inf, "0000fffffffffffff"),
        ("float", True, math.nan, "1"),
        ("string", False, "aé", "061c3a9!"),
        ("string", True, "aé", "09e3c56~"),
        ("string", False, "", "0!"),
        ("string", True, None, "1"),
    ],
)
def test_a_key_is_written_like_this(dtype, descending, value, written):
    schema = a_schema(dtype, descending=descending)

    key = rank_keys.key(schema, (value,), MOMENT, "alpha-01")

    assert key == f"{written}#2026-11-23T05:59:54.511867+00:00#alpha-01"
    assert rank_keys.value_part(key) == written
    assert rank_keys.run_of(key) == "alpha-01"


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize(
    ("dtype", "values"),
    [("int", (SMALLEST, LARGEST)), ("float", (-math.inf, math.inf)), ("string", ("", "\U0010ffff"))],
)
def test_missing_is_last_in_either_direction(dtype, values, descending):
    encode = rank_keys.encoder(a_schema(dtype, descending=descending))

    missing = encode((None,), datetime(2000, 1, 1, tzinfo=UTC), "a-0")

    assert all(encode((value,), MOMENT, "z-9") < missing for value in values)


def test_a_number_that_came_back_as_an_integer_keeps_its_place():
    encode = rank_keys.encoder(a_schema("float"))

    assert encode((2,), MOMENT, "g-1") == encode((2.0,), MOMENT, "g-1")


def test_a_value_of_the_wrong_type_is_an_error_and_not_a_missing_value():
    for dtype, value in [("int", "1"), ("float", "1.0"), ("string", 1), ("int", 1.5)]:
        with pytest.raises((TypeError, ValueError, AttributeError)):
            rank_keys.key(a_schema(dtype), (value,), MOMENT, "g-1")


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=3), min_size=1))
def test_whoever_stands_at_the_end_is_the_smallest_key_however_they_arrive(keys):
    best = None
    for key in keys:
        if standing.becomes_best(best, key):
            best = key

    assert best == min(keys)
    assert not any(standing.becomes_best(best, key) for key in keys)


@given(boards())
def test_ordered_is_the_plain_order_of_all_entries(board):
    schema, order, runs = board
    _, compare = plainly(schema, order)

    keyed = standing.ordered(rank_keys.encoder(schema, order), iter(runs))

    assert [run for _, run in keyed] == sorted(runs, key=functools.cmp_to_key(compare))
    assert [rank_keys.run_of(key) for key, _ in keyed] == [run.run for _, run in keyed]


@given(boards())
def test_the_best_per_group_are_the_first_of_their_groups_in_the_chosen_order(board):
    schema, order, runs = board
    encode = rank_keys.encoder(schema, order)
    seen, first = set(), []
    for key, run in standing.ordered(encode, runs):
        if run.group not in seen:
            seen.add(run.group)
            first.append((key, run))

    assert standing.best_per_group(encode, iter(runs)) == first


def test_an_ascending_order_shows_the_lowest_run_of_each_group():
    schema = a_schema("int")
    runs = [Run("a-1", "a", MOMENT, (5,)), Run("a-2", "a", MOMENT, (2,)), Run("b-1", "b", MOMENT, (3,))]

    lowest = standing.best_per_group(rank_keys.encoder(schema, rank_keys.parse_order(schema, "c0:asc")), runs)
    highest = standing.best_per_group(rank_keys.encoder(schema), runs)

    assert [run.run for _, run in lowest] == ["a-2", "b-1"]
    assert [run.run for _, run in highest] == ["a-1", "b-1"]


def test_equal_values_share_a_rank_and_the_next_one_counts_them():
    assert list(standing.ranks(["a", "a", "b", "c", "c", "c", "d"])) == [1, 1, 3, 4, 4, 4, 7]
    assert list(standing.ranks([])) == []


@given(st.lists(st.sampled_from("abcd")).map(sorted), st.lists(st.integers(1, 4), min_size=1))
def test_a_rank_is_one_more_than_the_entries_before_it_wherever_pages_end(parts, sizes):
    expected = [1 + sum(other < part for other in parts) for part in parts]

    paged, rank, previous = [], 0, None
    while len(paged) < len(parts):
        page = parts[len(paged) : len(paged) + sizes[len(paged) % len(sizes)]]
        paged += standing.ranks(page, start_rank=rank, start_position=len(paged), previous=previous)
        rank, previous = paged[-1], page[-1]

    assert paged == expected


SCHEMA = a_schema("int", "float", "string", descending=False)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (None, SCHEMA.order),
        ("", SCHEMA.order),
        ("  ", SCHEMA.order),
        ("c1", (results.OrderBy("c1", True),)),
        ("c1:desc", (results.OrderBy("c1", True),)),
        ("c1:ASC", (results.OrderBy("c1", False),)),
        (" c2 : asc , c0", (results.OrderBy("c2", False), results.OrderBy("c0", True))),
    ],
)
def test_the_callers_order_is_read(text, order):
    assert rank_keys.parse_order(SCHEMA, text) == order


@pytest.mark.parametrize("text", ["c9", "c0:up", "c0:", ":asc", "c0,", ",", "c0:asc:desc", "c0,c0:asc", "C0", "c0;c1"])
def test_an_order_that_names_no_column_is_refused(text):
    with pytest.raises(errors.InvalidRequest, match="orderBy"):
        rank_keys.parse_order(SCHEMA, text)


def test_an_order_of_more_columns_than_a_key_holds_is_refused():
    schema = a_schema(*["int"] * 9)

    assert len(rank_keys.parse_order(schema, ",".join(f"c{n}" for n in range(8)))) == 8
    with pytest.raises(errors.InvalidRequest, match="more than 8"):
        rank_keys.parse_order(schema, ",".join(f"c{n}" for n in range(9)))


def test_a_column_with_a_colon_in_its_name_can_be_chosen():
    columns = (results.Column("f1:asc", "F1", "float", ("f1",)),)
    schema = results.ResultSchema("r.json", columns, (results.OrderBy("f1:asc"),))

    assert rank_keys.parse_order(schema, "f1:asc") == (results.OrderBy("f1:asc", True),)
    assert rank_keys.parse_order(schema, "f1:asc:asc") == (results.OrderBy("f1:asc", False),)


@given(st.text())
def test_any_text_is_an_order_or_refused(text):
    try:
        order = rank_keys.parse_order(SCHEMA, text)
    except errors.InvalidRequest:
        return
    assert order
    assert {by.column for by in order} <= {"c0", "c1", "c2"}

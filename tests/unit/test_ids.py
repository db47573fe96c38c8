"""Run ids: what a page shows of one tells runs apart, and what a key is made of is read off it."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowserverless.domain import errors, ids

NAMES = some.one_of(some.from_regex(ids.NAME, fullmatch=True), some.sampled_from(["postproc", "a", "z" * 32]))
ULIDS = some.builds(ids.ulid, some.integers(0, 2**48 - 1), some.binary(min_size=10, max_size=10))
SHOWN = 8
LONGEST_EXECUTION_NAME = 80


@given(NAMES, ULIDS, some.booleans())
def test_a_run_id_is_read_as_it_was_written(owner, ulid, post_processing):
    run = ids.RunId(ids.Owner(owner, post_processing), ulid)
    assert ids.run_id(str(run)) == run


@given(NAMES, ULIDS, some.booleans())
def test_a_run_id_is_the_name_of_an_execution(owner, ulid, post_processing):
    text = str(ids.RunId(ids.Owner(owner, post_processing), ulid))
    assert len(text) <= LONGEST_EXECUTION_NAME
    assert set(text) <= set("-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@pytest.mark.parametrize("post_processing", [False, True])
def test_the_beginning_of_an_id_tells_runs_of_one_group_and_one_moment_apart(post_processing):
    random = [number.to_bytes(5) + bytes(5) for number in (*range(100), 2**39, 2**40 - 1)]
    runs = [str(ids.RunId(ids.Owner("group", post_processing), ids.ulid(1_795_413_600_000, each))) for each in random]
    assert len({run[:SHOWN] for run in runs}) == len(runs)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "group",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV-",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV-a-b",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV-postproc-",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV-postproc-a-b",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV-a\n",
        "01arz3ndektsv4rrffq69g5fav-a",
        "group-01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "postproc-group-01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ],
)
def test_what_cannot_be_a_run_id_is_an_unknown_run(text):
    with pytest.raises(errors.NotFound):
        ids.run_id(text)


@given(some.from_regex(r"[0-9a-f]{16}", fullmatch=True), some.integers(1))
def test_the_version_that_a_board_follows_is_read_off_its_id(version, number):
    assert ids.version_of(ids.board(version, number)) == version

"""Which work on a workflow's boards comes first, and how it goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from flowserverless.domain.ranking import rebuilding

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
FILLING = rebuilding.filling("w", "v-2", LATER)
LEAVING = rebuilding.taking_down("w", "v-1", LATER)
EMPTYING = LEAVING.advanced(LATER, rebuilding.Phase.EMPTY)


@pytest.mark.parametrize(
    ("there", "first"),
    [
        ([], None),
        ([EMPTYING, LEAVING, FILLING], FILLING),
        ([EMPTYING, LEAVING], LEAVING),
        ([EMPTYING], EMPTYING),
    ],
)
def test_what_people_wait_for_comes_first(there, first):
    assert rebuilding.first(there, LATER) == first


def test_only_deleting_entries_waits_for_its_time():
    before = LATER - timedelta(microseconds=1)
    assert rebuilding.first([EMPTYING], before) is None
    assert rebuilding.first([EMPTYING, LEAVING], before) == LEAVING
    assert rebuilding.first([FILLING], before) == FILLING


def test_work_begins_before_the_first_group_and_goes_on_where_it_ended():
    assert (FILLING.phase, FILLING.group, FILLING.run) == ("fill", None, None)
    some = FILLING.advanced(LATER, group="a", run="01")
    assert (some.phase, some.group, some.run) == ("fill", "a", "01")
    done = some.advanced(LATER, group="b")
    assert (done.group, done.run) == ("b", None)


def test_another_phase_begins_before_the_first_group_again():
    left = LEAVING.advanced(NOW, group="z")
    assert left.advanced(LATER, rebuilding.Phase.EMPTY) == EMPTYING

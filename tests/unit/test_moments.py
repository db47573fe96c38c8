"""Moments as text: one form, whose order is the order of time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain import moments

MOMENTS = st.timedeltas(timedelta(0), timedelta(days=100_000)).map(lambda age: datetime(1970, 1, 1, tzinfo=UTC) + age)


@given(MOMENTS)
def test_a_moment_is_read_as_it_was_written(moment: datetime) -> None:
    assert moments.read(moments.text(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_texts_have_the_order_of_time(one: datetime, other: datetime) -> None:
    assert (moments.text(one) < moments.text(other)) == (one < other)


def test_a_fraction_that_is_zero_is_written() -> None:
    assert moments.text(datetime(2026, 11, 23, tzinfo=UTC)) == "2026-11-23T00:00:00.000000+00:00"


def test_a_moment_of_flowserv_is_read() -> None:
    assert moments.read("2026-11-23T00:00:00+00:00") == datetime(2026, 11, 23, tzinfo=UTC)
    assert moments.read("2026-11-23T01:00:00+01:00") == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-23T00:00:00", "2026-13-01T00:00:00+00:00", "0" * 10_000])
def test_what_names_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the texts of Python differ
        moments.read(text)


def test_moments_may_be_compared_with_the_clock() -> None:
    assert moments.read(moments.text(datetime.now(UTC))) + timedelta(days=1) > datetime.now(UTC)

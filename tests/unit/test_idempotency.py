"""Idempotency keys: what tells one from another, how long one holds, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flowserverless.domain import errors, groups, idempotency

NOW = datetime(2026, 11, 23, 6, 0, 0, 700_000, tzinfo=UTC)
GROUP = groups.Group("g", "w", "Group g", "u-ada", NOW - timedelta(days=1))
USE = idempotency.use(GROUP, "once", "[]", NOW)


def test_the_same_key_and_payload_are_the_same_use_and_it_names_neither():
    assert idempotency.use(GROUP, "once", "[]", NOW) == USE
    assert {len(USE.key), len(USE.payload)} == {64}
    assert "once" not in repr(USE)


def test_a_later_group_of_the_same_identifier_has_keys_of_its_own():
    later = replace(GROUP, created_at=NOW)
    assert idempotency.use(later, "once", "[]", NOW).key != USE.key


def test_a_key_holds_for_seven_days_in_whole_seconds():
    end = NOW.replace(microsecond=0) + timedelta(days=7)
    assert USE.expires == end
    assert USE.holds(end - timedelta(microseconds=1))
    assert not USE.holds(end)
    assert not USE.holds(end + timedelta(microseconds=999_999))


def test_a_key_that_comes_with_another_payload_is_refused_and_the_run_is_named():
    first = replace(USE, run="r")
    idempotency.require_same(first, USE)
    with pytest.raises(errors.Conflict, match="which started run r") as refused:
        idempotency.require_same(first, idempotency.use(GROUP, "once", "[1]", NOW))
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"


def test_a_key_may_be_any_text():
    assert idempotency.use(GROUP, "\ud800", "\ud800", NOW).key

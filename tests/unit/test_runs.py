"""What a run says of itself, by its fields."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from flowserverless.domain import runs

CREATED = datetime(2026, 11, 23, 6, tzinfo=UTC)
RUN = runs.Run("r", "w", "v", runs.State.PENDING, CREATED, CREATED + timedelta(hours=1))


def changed(**fields):
    """The run with other values of some of its fields."""
    return dataclasses.replace(RUN, **fields)


@pytest.mark.parametrize(
    ("executors", "external"),
    [((), False), (("lambda",), False), (("lambda", "batch"), False), (("external",), True)],
)
def test_an_external_engine_executes_a_run_as_a_whole(executors, external):
    assert changed(executors=executors).external is external


def test_a_run_of_no_group_is_post_processing():
    assert RUN.post_processing
    assert not changed(group="g").post_processing


@pytest.mark.parametrize("state", runs.State)
def test_a_run_is_active_or_has_succeeded_or_neither(state):
    run = changed(state=state)
    assert run.succeeded is (state == "SUCCESS")
    assert run.active is (state in ("PENDING", "RUNNING"))


@pytest.mark.parametrize("state", runs.State)
def test_a_step_has_begun_once_it_is_not_pending(state):
    assert runs.Step("a", state).begun is (state != "PENDING")

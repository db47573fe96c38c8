"""What a workflow says of its boards and of the runs of its post-processing."""

import dataclasses
from datetime import UTC, datetime

import pytest

from flowserverless.domain import runs, workflows

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RESULT = runs.Run("good", "w", "v", runs.State.SUCCESS, NOW, NOW, ranking_version=3)
WORKFLOW = workflows.Workflow("w", "v", ranking_version=3)


def changed(**fields):
    """The workflow with other values of some of its fields."""
    return dataclasses.replace(WORKFLOW, **fields)


@pytest.mark.parametrize(("board", "following"), [(None, None), ("v-1", None), ("v-1", "v-2"), (None, "v-2")])
def test_a_new_group_takes_part_in_the_boards_that_there_are(board, following):
    assert set(changed(board=board, next_board=following).boards) == {board, following} - {None}


def test_the_newest_run_is_the_active_one_or_else_the_last():
    assert WORKFLOW.newest_run is None
    assert changed(last_run="b").newest_run == "b"
    assert changed(last_run="b", active_run="c").newest_run == "c"


def test_the_last_good_run_and_the_last_run_are_shown_and_no_active_one():
    assert WORKFLOW.shown_runs == set()
    assert changed(good_run="a", last_run="a", active_run="c").shown_runs == {"a"}
    assert changed(good_run="a", last_run="b").shown_runs == {"a", "b"}


@pytest.mark.parametrize(
    ("owed", "ranking_version", "outdated"), [(False, 3, False), (True, 3, True), (False, 4, True), (True, 4, True)]
)
def test_a_result_is_outdated_when_another_is_owed_or_the_ranking_is_another(owed, ranking_version, outdated):
    assert changed(owed=owed, ranking_version=ranking_version).is_outdated(RESULT) is outdated


def test_an_unknown_workflow_is_named_as_far_as_a_page_has_room():
    assert workflows.unknown("w" * 200).detail == f"unknown workflow '{'w' * 100}'"

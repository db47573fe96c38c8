"""What a post-processing run means for its workflow once it has ended."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flowserverless.domain import post_processing, runs, workflows
from flowserverless.domain.ranking import standing

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
WORKFLOW = workflows.Workflow(
    "w", "v1", ranking_version=7, owed=True, active_run="new", last_run="last", good_run="good"
)
RUN = runs.Run("new", "w", "v1", runs.State.SUCCESS, NOW, NOW, ranking_version=7)
FAILED = replace(RUN, state=runs.State.ERROR)


def test_a_result_takes_the_place_of_what_was_shown() -> None:
    settled = post_processing.settle(WORKFLOW, RUN)
    assert (settled.good_run, settled.obsolete) == ("new", {"good", "last"})


def test_a_failure_leaves_the_last_good_result() -> None:
    settled = post_processing.settle(WORKFLOW, FAILED)
    assert (settled.good_run, settled.obsolete) == ("good", {"last"})
    assert post_processing.settle(replace(WORKFLOW, last_run="good"), FAILED).obsolete == set()


@pytest.mark.parametrize("ended", [RUN, FAILED])
def test_what_failed_is_not_tried_again_before_the_ranking_changes(ended: runs.Run) -> None:
    assert not post_processing.settle(WORKFLOW, ended).owed
    assert post_processing.settle(replace(WORKFLOW, ranking_version=8), ended).owed
    assert post_processing.settle(replace(WORKFLOW, version="v2"), ended).owed


def test_the_best_run_is_listed_first_with_the_name_that_its_group_has_now() -> None:
    best = [standing.Entry("key", run, group, NOW, NOW, NOW, ()) for run, group in (("r1", "g"), ("r2", "gone"))]
    assert post_processing.listed(best, {"g": "Team"}, ["a", "b"]) == [
        {"id": "r1", "name": "Team", "files": ["a", "b"]},
        {"id": "r2", "name": "gone", "files": ["a", "b"]},
    ]

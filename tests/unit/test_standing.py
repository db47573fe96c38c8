"""Whether a run is ranked, superseded by another of its group, or why it is not ranked."""

from datetime import UTC, datetime

import pytest

from flowserverless.domain import groups, runs
from flowserverless.domain.ranking import rank_keys, results, standing

COLUMN = results.Column("score", "Score", "float", ("score",))
SCHEMA = results.ResultSchema("score.json", (COLUMN,), (results.OrderBy("score", True),))
AT = datetime(2026, 11, 23, 5, 59, 54, 511867, tzinfo=UTC)


def a_key(score, run):
    """The rank key of a run."""
    return rank_keys.key(SCHEMA, (score,), AT, run)


BEST = groups.Best(a_key(1.5, "r1"), "r1")


@pytest.mark.parametrize("best", [None, BEST])
def test_a_run_without_a_rank_key_is_not_ranked_and_says_why(best):
    stood = runs.Standing(code="RESULTS_MISSING", detail="there is no score.json")
    expected = standing.Place(standing.Status.NOT_RANKED, "RESULTS_MISSING", "there is no score.json")
    assert standing.place("r1", stood, best) == expected


@pytest.mark.parametrize("best", [None, BEST])
def test_the_best_run_of_a_group_is_ranked(best):
    assert standing.place("r1", runs.Standing(BEST.key), best) == standing.Place(standing.Status.RANKED)


@pytest.mark.parametrize(
    ("score", "code", "how"), [(1.5, "EQUAL_RUN", "was as good before"), (1.0, "BETTER_RUN", "is better")]
)
def test_another_run_of_the_group_is_superseded(score, code, how):
    stood = runs.Standing(a_key(score, "r2"))
    expected = standing.Place(standing.Status.SUPERSEDED, code, f"the group's run r1 {how}", by="r1")
    assert standing.place("r2", stood, BEST) == expected

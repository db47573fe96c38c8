"""What a leaderboard has to show, worked out from the runs that there are, without rank keys."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flowserverless.domain import ids, runs
from flowserverless.domain.ranking import results, standing
from flowserverless.store import boards, group_items, run_items, workflow_items
from support import scenario


@dataclass(frozen=True)
class Finished:
    """What a test knows of a run that succeeded."""

    run: str
    group: str
    finished_at: datetime
    outcome: boards.Measurement

    @property
    def rank(self) -> tuple[Any, ...]:
        """What sorts as the order of `packages.RESULTS` wants it, made without rank keys."""
        assert not isinstance(self.outcome, results.NotRanked)
        score, seconds, _ = self.outcome
        nan = math.isnan(score)
        return nan, 0.0 if nan else -score, seconds is None, seconds or 0, self.finished_at, self.run


def ranked(finished: Iterable[Finished]) -> list[Finished]:
    """Those that are ranked, in order."""
    return sorted((one for one in finished if not isinstance(one.outcome, results.NotRanked)), key=lambda one: one.rank)


def best(finished: Iterable[Finished]) -> list[Finished]:
    """The first of every group, in order."""
    first: dict[str, Finished] = {}
    for one in ranked(finished):
        first.setdefault(one.group, one)
    return list(first.values())


def statuses(finished: Sequence[Finished]) -> dict[str, tuple[str, str | None]]:
    """Status of every run, and which run superseded it or why it is not ranked."""
    of_group = {one.group: one.run for one in best(finished)}
    found: dict[str, tuple[str, str | None]] = {}
    for one in finished:
        if isinstance(one.outcome, results.NotRanked):
            found[one.run] = ("not_ranked", one.outcome.code)
        elif of_group[one.group] == one.run:
            found[one.run] = ("ranked", None)
        else:
            found[one.run] = ("superseded", of_group[one.group])
    return found


def stored_statuses(run_ids: Iterable[str], board: str) -> dict[str, tuple[str, str | None]]:
    """The same as the service says it."""
    found = {}
    for run_id in run_ids:
        best = group_items.get(ids.run_id(run_id).owner.name).bests.get(board)
        said = standing.place(run_id, run_items.get(run_id).standings[board], best)
        found[run_id] = (str(said.status), said.by or (said.code if said.status == "not_ranked" else None))
    return found


def listed(workflow: str, board: str, part: str) -> list[str]:
    """The runs on a part of a board, in its order."""
    return [entry.run for entry in boards.every(workflow, board, part)]


def check(workflow: str, finished: Sequence[Finished]) -> None:
    """Compare everything that the shown board says with what follows from the runs that there are."""
    board = str(workflow_items.get(workflow).board)
    check_board(workflow, board, finished)
    assert stored_statuses([one.run for one in finished], board) == statuses(finished)


def check_board(workflow: str, board: str, finished: Sequence[Finished]) -> None:
    """Compare the entries of a board with what follows from the runs that there are."""
    assert listed(workflow, board, "ALL") == [one.run for one in ranked(finished)]
    assert listed(workflow, board, "BEST") == [one.run for one in best(finished)]
    for group in {one.group for one in finished}:
        own = [one.run for one in ranked(finished) if one.group == group]
        assert listed(workflow, board, f"G#{group}") == own
        now = group_items.get(group).bests[board]
        assert (now and now.run) == (own[0] if own else None)


def finished(run: str, score: float) -> Finished:
    """What is known of a run that succeeded with a score."""
    stored = run_items.get(run)
    assert stored.state is runs.State.SUCCESS
    return Finished(run, str(stored.group), stored.finished_at, scenario.outcome(score=score))


def succeeded(group: str, scores: Mapping[str, float]) -> list[Finished]:
    """What is known of the group's successful runs, whose scores are known."""
    return [finished(run.id, scores[run.id]) for run in scenario.runs_of(group) if run.state is runs.State.SUCCESS]

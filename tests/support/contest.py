"""A contest straight in the table: a published workflow, its groups, and runs that end with given values.

contest.publish("w")
contest.join("w", "g1")
run = contest.begin("w", "g1")
contest.end(run, score=0.9, seconds=12)
"""

import copy
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flowserverless.domain import groups, ids, moments, runs, versions
from flowserverless.domain.ranking import results, standing
from flowserverless.domain.templates import templates
from flowserverless.store import boards, group_items, members, run_items, version_items, workflow_items

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
RESULTS = {
    "file": "results/score.json",
    "schema": [
        {"name": "score", "label": "Score", "dtype": "float", "path": "metrics/score"},
        {"name": "seconds", "label": "Time", "dtype": "int", "required": False},
        {"name": "note", "label": "Note", "dtype": "string", "required": False},
    ],
    "orderBy": [{"name": "score"}, {"name": "seconds", "sortDesc": False}],
}
STEP = {"name": "score", "action": {"environment": "python:3.11", "commands": ["echo"]}}
TEMPLATE = {"workflow": {"files": {"outputs": ["results/score.json"]}, "steps": [STEP]}, "results": RESULTS}
POST_PROCESSING = {
    "workflow": {"files": {"outputs": ["plot.txt"]}, "steps": [{**STEP, "name": "plot"}]},
    "inputs": {"files": ["results/score.json"], "runs": "runs/"},
    "outputs": [{"source": "plot.txt", "title": "Plot"}],
}
SCHEMA = results.parse(RESULTS)

_numbers = itertools.count(1)


def moment(seconds: float) -> datetime:
    """So many seconds after the contest began."""
    return START + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    """The same as text."""
    return moments.text(moment(seconds))


def template(**changed: Any) -> dict[str, Any]:
    """The template with some of its elements replaced, or left out if None."""
    document = {**copy.deepcopy(TEMPLATE), **changed}
    return {name: value for name, value in document.items() if value is not None}


def results_by(*order: str, **changed: Any) -> dict[str, Any]:
    """The results element with another order: the names of columns, `-` before those that ascend."""
    by = [{"name": name.lstrip("-"), "sortDesc": not name.startswith("-")} for name in order]
    return {**RESULTS, "orderBy": by, **changed}


def publish(workflow: str = "w", document: Mapping[str, Any] = TEMPLATE) -> versions.Version:
    """Publish a template as the service does; its version is the digest of its content."""
    parsed = templates.parse(document)
    digest = hashlib.sha256(json.dumps(parsed.document, sort_keys=True).encode()).hexdigest()
    version = versions.Version(workflow, digest[:16], workflow.title(), parsed.document, START)
    published, _ = version_items.publish(version)
    return published


def join(workflow: str, *names: str) -> None:
    """Create groups, each with one member."""
    for name in names:
        head = workflow_items.get(workflow)
        group_items.create(group(workflow, name), {"u-ada": "ada"}, head)


def group(workflow: str, identifier: str, owner: str = "u-ada", **further: Any) -> groups.Group:
    """A group as it is when it is new."""
    return groups.Group(identifier, workflow, f"Group {identifier}", owner, START, **further)


def enrol(group: str, user: str, name: str) -> None:
    """List a member straight in the table, past all rules."""
    members.to_item(group, groups.Member(user, name)).save()


def begin(workflow: str, group: str) -> str:
    """A new active run."""
    number = next(_numbers)
    run = runs.Run(
        id=str(ids.RunId(ids.Owner(group), ids.ulid(1_795_413_600_000 + number, number.to_bytes(10)))),
        workflow=workflow,
        version=workflow_items.get(workflow).version,
        state=runs.State.PENDING,
        created_at=moment(0),
        deadline=moment(86400),
        group=group,
        started_by="u-ada",
        executors=("lambda",),
        steps=(runs.Step("score"),),
    )
    run_items.create(run, None, 1000)
    return run.id


def outcome(
    score: Any = math.nan, seconds: int | None = None, note: str | None = None, failing: str | None = None
) -> boards.Measurement:
    """What a run comes to: values, or the reason `failing` for not being ranked."""
    return results.NotRanked(failing, "as the test wants it") if failing else (score, seconds, note)


def end(
    run_id: str, at: float = 60, measure: boards.Measure | None = None, workflow: str = "w", **values: Any
) -> run_items.Ended:
    """Let a run succeed with given values, the same on every board, or with what `measure` says."""
    told = outcome(**values)
    return run_items.finish(
        run_id,
        workflow,
        lambda run: runs.end(run, runs.State.SUCCESS, moment(at)),
        measure or (lambda board: (SCHEMA, told)),
    )


def remove(run_id: str, at: float = 90, workflow: str = "w") -> bool:
    """Delete a run that has ended; says whether the ranking changed."""
    return run_items.delete(run_id, workflow, moment(at))


@dataclass(frozen=True)
class Finished:
    """What a test knows of a run that succeeded."""

    run: str
    group: str
    finished_at: datetime
    outcome: boards.Measurement

    @property
    def rank(self) -> tuple[Any, ...]:
        """What sorts as contest's own order wants it, made without rank keys."""
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

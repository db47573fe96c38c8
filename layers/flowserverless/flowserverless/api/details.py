"""Answers one run, group or workflow with everything that people are shown of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from flowserverless.api import handles, views
from flowserverless.auth import permissions
from flowserverless.domain import groups, runs, users
from flowserverless.domain.ranking import standing
from flowserverless.store import (
    batch_reads,
    boards,
    members,
    run_items,
    workflow_items,
)

MAX_SHOWN = 1000
# Of a run's files as JSON, which are ten thousand ordinary ones; an answer has 6 MB. Pages of files have them all.
FILES_BYTES = 3_000_000
# Of a listing's runs as JSON with all that there is to say of them; further ones have their id and state.
LINES_BYTES = 2_500_000


def run(who: users.Caller, seen: permissions.RunView) -> handles.RunHandle:
    """A run with who started it, and where the workflow ranks runs, with its values, its rank, or why it has none."""
    whole = run_items.complete(seen.run, FILES_BYTES)
    if seen.group is None:
        return views.run(whole)
    mine = seen.run.started_by == who.user
    names, board = beside(seen.group, [] if mine else [seen.run], seen.run.standings)
    found = told(seen.run, seen.group, board, {**names, who.user: who.name})
    if found.place and found.place.status is standing.Status.RANKED:
        rank = boards.rank(seen.run.workflow, str(board), str(seen.run.standings[str(board)].key))
        found = replace(found, place=replace(found.place, rank=rank))
    return views.run(whole, found)


def beside(group: groups.Group, of: Iterable[runs.Run], ranked: object = True) -> tuple[dict[str, str], str | None]:
    """Names of the members who started these runs, and the board that people see if any is `ranked`; in one read."""
    people = [members.wanted(group.id, user) for user in {str(run.started_by) for run in of}]
    workflow = workflow_items.wanted(group.workflow)
    found = batch_reads.together(*people, *([workflow] if ranked else []))
    head = found.get(workflow)
    return groups.names(filter(None, map(found.get, people))), head.board if head else None


def told(run: runs.Run, group: groups.Group, board: str | None, names: Mapping[str, str]) -> views.Beside:
    """What is shown of a group's run that stands elsewhere."""
    name, stood = names.get(str(run.started_by)), run.standings.get(board or "")
    if stood is None:
        return views.Beside(name)
    place = standing.place(run.id, stood, group.bests.get(str(board)))
    return views.Beside(name, stood.results, place)


def lines(
    found: Iterable[runs.Run], group: groups.Group, board: str | None, names: Mapping[str, str]
) -> list[handles.RunLine]:
    """Runs in a listing, with all that is read with them anyway as long as there is room."""
    shown: list[handles.RunLine] = []
    room = LINES_BYTES
    for run in found:
        line = views.full_run_line(run, told(run, group, board, names)) if room > 0 else views.run_line(run)
        room -= len(json.dumps(line))
        shown.append(line)
    return shown

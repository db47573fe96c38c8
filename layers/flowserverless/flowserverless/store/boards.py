"""Boards: entering and leaving them inside a run's own transaction, and reading them in order.

Neither costs more when a board grows: a run that finishes writes its own entries, and the list of best runs
is compared through the group's item, which names the group's best run on every board. Whoever ranks or
unranks a run raises the group's `revision` on the condition that it is as it was read, so that within a
group these changes happen one after the other.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import groups, runs
from flowserverless.domain.ranking import rank_keys, results, standing
from flowserverless.store import table

# Values that take more as JSON are not kept with the run, whose item has room for 400 KB of everything.
RESULT_BYTES = 4000
ALL, BEST = table.ALL, table.BEST
MAX_COUNTED = 1000
Measurement = results.Values | results.NotRanked
Measure = Callable[[str], tuple[results.ResultSchema, Measurement]]


def read(text: str) -> groups.Bests:
    """Which run is the group's best on each board it takes part in, as `boards` of its item says."""
    found: dict[str, dict[str, str] | None] = json.loads(text)
    return {board: groups.Best(**best) if best else None for board, best in found.items()}


def written(bests: groups.Bests) -> str:
    """The text that `boards` of a group's item holds; one spelling for one content."""
    documents = {board: asdict(best) if best else None for board, best in bests.items()}
    return json.dumps(documents, sort_keys=True, separators=(",", ":"))


def revise(transaction: TransactWrite, group: groups.Group, bests: groups.Bests, ended: int = 0) -> None:
    """Write a group's best runs on the condition that nobody changed them; `ended` runs are active no more."""
    actions: list[Action] = [
        table.GroupItem.boards.set(written(bests)),
        table.GroupItem.revision.set(group.revision + 1),
    ]
    if ended:
        actions.append(table.GroupItem.active_runs.add(-ended))
    item = table.GroupItem(*table.group(group.id))
    transaction.update(item, actions, condition=table.GroupItem.revision == group.revision)


def _part(workflow: str, board: str, part: str, entry: standing.Entry) -> table.EntryItem:
    return table.EntryItem(
        table.board(workflow, board, part),
        entry.key,
        run=entry.run,
        group=entry.group,
        created_at=entry.created_at,
        started_at=entry.started_at,
        finished_at=entry.finished_at,
        values=list(entry.values),
    )


def _gone(workflow: str, board: str, part: str, key: str) -> table.EntryItem:
    return table.EntryItem(table.board(workflow, board, part), key)


def measured(
    run: runs.Run, boards: Iterable[str], measure: Measure
) -> tuple[dict[str, runs.Standing], dict[str, standing.Entry]]:
    """Where a finished run stands on each board, and its entry on those that rank it."""
    standings, entries = {}, {}
    for board in boards:
        schema, outcome = measure(board)
        if isinstance(outcome, results.NotRanked):
            standings[board] = runs.Standing(code=outcome.code, detail=outcome.detail)
            continue
        begun, ended = run.started_at or run.created_at, run.finished_at or run.created_at
        key = rank_keys.key(schema, outcome, ended, run.id)
        standings[board] = runs.Standing(key=key, results=_kept(results.shown(schema, outcome)))
        entries[board] = standing.Entry(key, run.id, str(run.group), run.created_at, begun, ended, outcome)
    return standings, entries


def _kept(shown: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return shown if len(json.dumps(shown)) <= RESULT_BYTES else None


def rank(workflow: str, board: str, key: str) -> int | None:
    """The rank of a group's best run: one more than there are better ones; None behind MAX_COUNTED of them.

    Counting reads what it counts, so a run far down would cost its reader a read of the whole board.
    """
    better = table.EntryItem.count(
        table.board(workflow, board, BEST), table.EntryItem.sk < rank_keys.value_part(key), limit=MAX_COUNTED + 1
    )
    return better + 1 if better <= MAX_COUNTED else None


def enter(transaction: TransactWrite, group: groups.Group, entries: Mapping[str, standing.Entry]) -> groups.Bests:
    """Add a run's entries to a transaction; answers what the group's best runs become."""
    after = dict(group.bests)
    for board, entry in entries.items():
        best = after[board]
        transaction.save(_part(group.workflow, board, ALL, entry))
        transaction.save(_part(group.workflow, board, table.own(group.id), entry))
        if standing.becomes_best(best.key if best else None, entry.key):
            if best:
                transaction.delete(_gone(group.workflow, board, BEST, best.key))
            transaction.save(_part(group.workflow, board, BEST, entry))
            after[board] = groups.Best(entry.key, entry.run)
    return after


def leave(
    transaction: TransactWrite, group: groups.Group, run: runs.Run, successors: Mapping[str, standing.Entry | None]
) -> groups.Bests:
    """Take a run's entries off its boards; `successors` are the group's next best where the run was the best."""
    after = dict(group.bests)
    for board, stood in run.standings.items():
        if board not in after or stood.key is None:
            continue
        transaction.delete(_gone(group.workflow, board, ALL, stood.key))
        transaction.delete(_gone(group.workflow, board, table.own(group.id), stood.key))
        if board not in successors:
            continue
        transaction.delete(_gone(group.workflow, board, BEST, stood.key))
        successor = successors[board]
        after[board] = groups.Best(successor.key, successor.run) if successor else None
        if successor:
            transaction.save(_part(group.workflow, board, BEST, successor))
    return after


def successors(group: groups.Group, run: runs.Run) -> dict[str, standing.Entry | None]:
    """The group's next best on every board where `run` is its best: one Query of two entries each."""
    found: dict[str, standing.Entry | None] = {}
    for board, best in group.bests.items():
        if best and best.run == run.id:
            others = (e for e in page(group.workflow, board, table.own(group.id), 2)[0] if e.run != run.id)
            found[board] = next(others, None)
    return found


def page(
    workflow: str, board: str, part: str, limit: int, after: str | None = None
) -> tuple[list[standing.Entry], bool]:
    """Up to `limit` entries in ranking order behind rank key `after`, strongly consistent, and whether more follow."""
    partition = table.board(workflow, board, part)
    items = table.EntryItem.query(
        partition,
        table.EntryItem.sk > after if after else None,
        consistent_read=True,
        limit=limit + 1,
        page_size=limit + 1,
    )
    found = [_entry(item) for item in items]
    return found[:limit], len(found) > limit


def clear(workflow: str, board: str, limit: int) -> bool:
    """Delete some entries of a board that no group takes part in any more; says whether none is left.

    The list of all runs leads to the groups' own lists, so its entries go last.
    """
    for part in (BEST, ALL):
        found, _ = page(workflow, board, part, limit)
        if found and part == ALL:
            _remove(_gone(workflow, board, table.own(entry.group), entry.key) for entry in found)
        if found:
            _remove(_gone(workflow, board, part, entry.key) for entry in found)
            return False
    return True


def _remove(items: Iterable[table.EntryItem]) -> None:
    with table.EntryItem.batch_write() as batch:
        for item in items:
            batch.delete(item)


def every(workflow: str, board: str, part: str) -> Iterator[standing.Entry]:
    """All entries in ranking order."""
    for item in table.EntryItem.query(table.board(workflow, board, part), consistent_read=True):
        yield _entry(item)


def _entry(item: Any) -> standing.Entry:
    return standing.Entry(
        item.sk, item.run, item.group, item.created_at, item.started_at, item.finished_at, tuple(item.values)
    )


def group_names(workflow: str, groups: Iterable[str]) -> dict[str, str]:
    """Names by group id, read where they are small: one BatchGetItem per 100 groups."""
    keys = [table.workflow_group(workflow, group) for group in groups]
    return {item.group: item.name for item in table.fetch(keys).values()}

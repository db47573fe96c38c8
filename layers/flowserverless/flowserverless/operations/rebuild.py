"""Filling a workflow's new board from the result files that its runs left, and taking the old board down.

Nobody waits for this: it goes on call by call, each call page by page, and after whatever interruption from the
page that was done last.
"""

import functools
import time
from datetime import datetime, timedelta

from flowserverless.domain import ids, runs
from flowserverless.operations import metrics, post_process
from flowserverless.store import boards, group_items, rebuilds, run_items, table

RUNS = 25
GROUPS = 100
ENTRIES = 500
# Longer than any function runs: for so long nobody else goes on with what was begun, and who was reading a
# board when another took its place can finish.
LEASE = timedelta(minutes=15)


def ranking(workflow: str, now: datetime, seconds: float) -> bool:
    """Do what is to be done for a workflow's boards, at least one page and for about `seconds`.

    Says whether nothing is left that can be done now.
    """
    until = time.monotonic() + seconds
    while item := rebuilds.first(workflow, now):
        WORK[item.phase](item, now)
        if time.monotonic() >= until:
            return False
    return True


def _fill(item: table.RebuildItem, now: datetime) -> None:
    later = now + LEASE
    found, _ = group_items.of_workflow(item.workflow, 1, item.group)
    if not found:
        if rebuilds.show(item, now, later):
            post_process.start_if_owed(item.workflow, now)
        return
    group = found[0].id
    rebuilds.join(item, group)
    page, more = run_items.newest(ids.Owner(group), RUNS, runs.State.SUCCESS, item.run)
    schema_of = functools.cache(functools.partial(metrics.schema, item.workflow))
    for run in page:
        if item.board not in run.standings:
            run_items.rank(run.id, item.workflow, item.board, metrics.of(run, schema_of))
    if more:
        rebuilds.advance(item, later, rebuilds.FILL, item.group, ids.run_id(page[-1].id).ulid)
    else:
        rebuilds.advance(item, later, rebuilds.FILL, group)


def _leave(item: table.RebuildItem, now: datetime) -> None:
    later = now + LEASE
    found, more = group_items.of_workflow(item.workflow, GROUPS, item.group)
    for group in found:
        rebuilds.leave(item, group.id)
    if more:
        rebuilds.advance(item, later, rebuilds.LEAVE, found[-1].id)
    else:
        rebuilds.advance(item, later, rebuilds.EMPTY)


def _empty(item: table.RebuildItem, _: datetime) -> None:
    if boards.clear(item.workflow, item.board, ENTRIES):
        item.delete()


WORK = {rebuilds.FILL: _fill, rebuilds.LEAVE: _leave, rebuilds.EMPTY: _empty}

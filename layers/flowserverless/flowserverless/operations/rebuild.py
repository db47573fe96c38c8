"""Rebuilds a ranking: fills a workflow's new board from kept result files, and takes the old board down.

Nobody waits for this: it goes on call by call, each call page by page, and after whatever interruption from the
page that was done last.
"""

import functools
import time
from datetime import datetime

from flowserverless.domain import ids, runs
from flowserverless.domain.ranking import rebuilding
from flowserverless.operations import metrics, post_process
from flowserverless.store import boards, group_items, rebuilds, run_items

RUNS = 25
GROUPS = 100
ENTRIES = 500


def ranking(workflow: str, now: datetime, seconds: float) -> bool:
    """Do what is to be done for a workflow's boards, at least one page and for about `seconds`.

    Says whether nothing is left that can be done now.
    """
    until = time.monotonic() + seconds
    while work := rebuilds.first(workflow, now):
        WORK[work.phase](work, now)
        if time.monotonic() >= until:
            return False
    return True


def _fill(work: rebuilding.Rebuild, now: datetime) -> None:
    later = now + rebuilding.LEASE
    found, _ = group_items.of_workflow(work.workflow, 1, work.group)
    if not found:
        if rebuilds.show(work, now, later):
            post_process.start_if_owed(work.workflow, now)
        return
    group = found[0].id
    rebuilds.join(work, group)
    page, more = run_items.newest(ids.Owner(group), RUNS, runs.State.SUCCESS, work.run)
    schema_of = functools.cache(functools.partial(metrics.schema, work.workflow))
    for run in page:
        if work.board not in run.standings:
            run_items.rank(run.id, work.workflow, work.board, metrics.of(run, schema_of))
    if more:
        rebuilds.advance(work, work.advanced(later, group=work.group, run=ids.run_id(page[-1].id).ulid))
    else:
        rebuilds.advance(work, work.advanced(later, group=group))


def _leave(work: rebuilding.Rebuild, now: datetime) -> None:
    later = now + rebuilding.LEASE
    found, more = group_items.of_workflow(work.workflow, GROUPS, work.group)
    for group in found:
        rebuilds.leave(work, group.id)
    if more:
        rebuilds.advance(work, work.advanced(later, group=found[-1].id))
    else:
        rebuilds.advance(work, work.advanced(later, rebuilding.Phase.EMPTY))


def _empty(work: rebuilding.Rebuild, _: datetime) -> None:
    if boards.clear(work.workflow, work.board, ENTRIES):
        rebuilds.forget(work)


WORK = {rebuilding.Phase.FILL: _fill, rebuilding.Phase.LEAVE: _leave, rebuilding.Phase.EMPTY: _empty}

"""Expires runs that are older than the installation keeps them, but never a group's best one."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from flowserverless import settings
from flowserverless.domain import errors, groups, ids, workflows
from flowserverless.domain.runs import Run
from flowserverless.operations import delete
from flowserverless.store import group_items, run_items, workflow_items

# A pass deletes so many runs of a group at most; what is left is deleted by the next pass.
MAX_PER_GROUP = 200


def runs(now: datetime) -> dict[str, int]:
    """Delete what has expired; answers how many runs. KEEP_RUN_DAYS = 0 keeps all for ever."""
    days = settings.current().keep_run_days
    if not days:
        return {"deleted": 0}
    limit = ids.ulid(int((now - timedelta(days=days)).timestamp() * 1000), bytes(10))
    return {"deleted": sum(_delete(run, now) for run in _expired(limit))}


def _expired(limit: str) -> Iterator[Run]:
    for line in _all_workflows():
        head = workflow_items.get(line.id)
        shown = {*head.shown_runs, head.active_run}
        old = run_items.oldest(ids.Owner(line.id, post_processing=True), limit, MAX_PER_GROUP)
        yield from (run for run in old if run.id not in shown)
        for group in _all_groups(line.id):
            best = {one.run for one in group_items.get(group.id).bests.values() if one}
            old = run_items.oldest(ids.Owner(group.id), limit, MAX_PER_GROUP)
            yield from (run for run in old if run.id not in best)


def _all_workflows() -> Iterator[workflows.Line]:
    after, more = None, True
    while more:
        found, more = workflow_items.catalogue(100, after)
        yield from found
        after = found[-1].id if found else None


def _all_groups(workflow: str) -> Iterator[groups.Line]:
    after, more = None, True
    while more:
        found, more = group_items.of_workflow(workflow, 100, after)
        yield from found
        after = found[-1].id if found else None


def _delete(run: Run, now: datetime) -> bool:
    if run.active:
        return False
    try:
        delete.run(run, now)
    except (errors.NotFound, errors.Conflict):
        # Somebody else deleted it, or it is shown now.
        return False
    return True

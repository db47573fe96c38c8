"""The post-processing runs that a workflow shows: the last good one, and the newest one."""

from flowserverless.domain import errors, runs, workflows
from flowserverless.store import run_items, workflow_items

# Of the files of each of the two runs that a workflow and its leaderboard show, as JSON: a few thousand.
FILES_BYTES = 750_000


def shown(of: workflows.Workflow) -> tuple[runs.Run | None, runs.Run | None]:
    """The last good run and the newest run of a workflow's post-processing, in at most one read."""
    found = run_items.several(run for run in (of.good_run, of.newest_run) if run)
    return found.get(str(of.good_run)), found.get(str(of.newest_run))


def shown_whole(of: workflows.Workflow) -> tuple[runs.Run | None, runs.Run | None]:
    """As `shown`, with the files that a handle has room for."""
    good, last = shown(of)
    return good and run_items.complete(good, FILES_BYTES), last and run_items.complete(last, FILES_BYTES)


def result(workflow: str) -> runs.Run:
    """The post-processing run whose results the workflow shows; raises NotFound."""
    good, _ = shown(workflow_items.get(workflow))
    if good is None:
        raise errors.NotFound(f"workflow '{workflow[:100]}' has no post-processing results")
    return good

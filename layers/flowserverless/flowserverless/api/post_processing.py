"""The post-processing runs that a workflow shows: the last good one, and the newest one."""

from flowserverless.api import handles, views
from flowserverless.domain import errors, runs, workflows
from flowserverless.store import run_items, workflow_items

# Of the files of each of the two runs that a workflow and its leaderboard show, as JSON: a few thousand.
FILES_BYTES = 750_000


def shown(of: workflows.Workflow) -> tuple[runs.Run | None, runs.Run | None]:
    """The last good run and the newest run of a workflow's post-processing, in at most one read."""
    found = run_items.several(run for run in (of.good_run, of.newest_run) if run)
    return found.get(str(of.good_run)), found.get(str(of.newest_run))


def _shown_whole(of: workflows.Workflow) -> tuple[runs.Run | None, runs.Run | None]:
    """As `shown`, with the files that a handle has room for."""
    good, last = shown(of)
    return good and run_items.complete(good, FILES_BYTES), last and run_items.complete(last, FILES_BYTES)


def result(workflow: str) -> runs.Run:
    """The post-processing run whose results the workflow shows; raises NotFound."""
    good, _ = shown(workflow_items.get(workflow))
    if good is None:
        raise errors.NotFound(f"workflow '{workflow[:100]}' has no post-processing results")
    return good


def handle(of: workflows.Workflow) -> handles.PostProcessingHandle | handles.RunHandle | None:
    """The last good result, and beside it the newest run when that is active or failed; without a good one, that."""
    good, last = _shown_whole(of)
    if good is None:
        return _without_output(last) if last else None
    shown: handles.PostProcessingHandle = {
        **views.run(good),  # type: ignore[typeddict-item]
        "stale": of.is_outdated(good),
        "version": good.ranking_version or 0,
    }
    shown["rankingVersion"] = of.ranking_version
    if last and last.id != good.id:
        shown["last"] = _without_output(last)
    return shown


def _without_output(of: runs.Run) -> handles.RunHandle:
    """The handle of a run with why it failed, and not what its steps printed, which is for who looks into the run."""
    shown = views.run(of)
    if "messages" in shown:
        shown["messages"] = [of.reason.detail] if of.reason else []
    return shown

"""Cancels a run: the state first, then the mark that its step watches, then the execution."""

from datetime import datetime

from flowserverless import logs
from flowserverless.aws import step_functions
from flowserverless.domain import groups, runs
from flowserverless.store import bucket, run_items


def run(run: runs.Run, reason: str | None, now: datetime, by: groups.Membership | None = None) -> runs.Run:
    """The run CANCELED, its step told to stop and its execution stopped; raises Conflict when it ended before.

    Raises Forbidden when the member `by`, who wants it, is one no more.

    The state comes first, so that who may not cancel the run, or comes too late, leaves no mark. Step and execution
    that cannot be stopped now are stopped by the reconciler.
    """
    runs.require_active(run)
    ended = run_items.finish(
        run.id, run.workflow, lambda now_run: runs.canceled(now_run, now, reason), stop=True, by=by
    )
    ours = (ended.run.state, ended.run.finished_at) == (runs.State.CANCELED, now)
    if not (ended.won or ours):
        runs.require_active(ended.run)
    with logs.left_to_the_reconciler("execution not stopped", run=run.id):
        stop_execution(ended.run)
    return ended.run


def stop_execution(run: runs.Run) -> None:
    """Stop step and execution of a run that ended without them; who is told of that lists the files."""
    bucket.write(bucket.cancel_mark(run.id), b"")
    code, detail = (run.reason.code, run.reason.detail) if run.reason else ("", "")
    step_functions.stop(run.id, code, detail)
    run_items.settle(run)

"""Reconciles the table with Step Functions: ends or restarts runs that fell between, and does what is due.

It assumes that every event can get lost, come twice or come late, and that a function can die after any call.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flowserverless import logs, settings
from flowserverless.aws import step_functions
from flowserverless.domain import errors, limits, moments
from flowserverless.domain.runs import Archive, Reason, Run, State, end, failure_reason
from flowserverless.operations import cancel, delete, post_process
from flowserverless.store import due, run_items

# A run that never began after so long is not started any more: nobody expects it to.
STALE_SECONDS = 3600


def runs(event: Mapping[str, Any], now: datetime) -> dict[str, int]:
    """One run, if `event` tells of the end of its execution (EventBridge's Step Functions Execution Status Change).

    Any other event, such as the schedule's, means everything that is due.
    """
    name = event.get("detail", {}).get("name")
    if name is None:
        return all_due(now)
    try:
        return {"runs": int(one(name, now))}
    except errors.NotFound:
        return {"runs": 0}


def all_due(now: datetime) -> dict[str, int]:
    """One pass over everything that is due; answers how many of each kind were put right.

    One that cannot be put right stops no other; it stays due for the next pass.
    """
    counts: dict[str, int] = {}
    for kind, (counted, put_right) in WORK.items():
        for work in due.work(kind, now):
            _attempt(counts, counted, work, functools.partial(put_right, work, now))
    return counts


def _attempt(counts: dict[str, int], kind: str, work: due.Work, put_right: Callable[[], bool]) -> None:
    try:
        changed = put_right()
    except errors.NotFound:
        changed = False
    except Exception:
        logs.logger.exception("could not be reconciled", extra={"kind": kind, "key": [work.pk, work.sk]})
        counts["failed"] = counts.get("failed", 0) + 1
        return
    counts[kind] = counts.get(kind, 0) + bool(changed)


def one(run_id: str, now: datetime) -> bool:
    """Bring one active run into line with its execution; says whether anything had to be done. Raises NotFound."""
    run = run_items.get(run_id)
    if not run.active:
        return False
    if run.deadline <= now:
        return _time_out(run, now)
    execution = step_functions.status(run.id)
    if execution is None:
        return _start_again(run, now)
    status, error, cause = execution
    if status == step_functions.RUNNING:
        return False
    reason = failure_reason(error or status, cause)
    if status == "SUCCEEDED":
        reason = Reason("SYSTEM_ERROR", "the execution ended without saying how")
    return _end(run, reason, now)


def _time_out(run: Run, now: datetime) -> bool:
    whose = limits.of_run(int(run.allowed.total_seconds()), run.config.get("timeoutSeconds"))
    reason = Reason("TIMEOUT", f"the run had not ended by its deadline, {moments.text(run.deadline)}: {whose}")
    return _end(run, reason, now)


def _reconcile(work: due.Work, now: datetime) -> bool:
    return one(str(work.run), now)


def _stop(work: due.Work, _: datetime) -> bool:
    cancel.stop_execution(run_items.get(str(work.run)))
    return True


def _start_again(run: Run, now: datetime) -> bool:
    age = (now - run.created_at).total_seconds()
    # A run of an external engine is RUNNING from the start; its execution has begun once it waits for results.
    begun = run.ingest_token is not None if run.external else run.state is State.RUNNING
    if not begun and age < STALE_SECONDS:
        # A run this young may still be on its way from the table to Step Functions.
        if age < settings.current().grace_seconds:
            return False
        step_functions.start(run)
        return True
    return _end(run, Reason("SYSTEM_ERROR", "the run has no execution any more"), now)


def _end(run: Run, reason: Reason, now: datetime) -> bool:
    """ERROR, without files and archive: they need more time than a pass over all runs has."""
    detail = Archive(detail="the run ended before an archive of its files was built")

    def ending(current: Run) -> Run:
        ended = end(current, State.ERROR, now, reason, (reason.detail,))
        return ended if ended.archive else replace(ended, archive=detail)

    ended = run_items.finish(run.id, run.workflow, ending, stop=True)
    if not ended.won:
        return False
    if run.post_processing:
        post_process.start_if_owed(run.workflow, now)
    cancel.stop_execution(ended.run)
    return True


def _list_files(work: due.Work, now: datetime) -> bool:
    step_functions.collect_files(str(work.run), now.strftime("%H%M%S"))
    return True


def _remove(work: due.Work, now: datetime) -> bool:
    step_functions.remove_files(str(work.run), now.strftime("%H%M%S"))
    return True


def _delete_group(work: due.Work, now: datetime) -> bool:
    step_functions.remove_group(work.owner, f"{now:%Y%m%d%H%M%S}")
    return True


def _post_process(work: due.Work, now: datetime) -> bool:
    return post_process.start_if_owed(work.owner, now) is not None


def _rebuild(work: due.Work, now: datetime) -> bool:
    step_functions.rebuild_ranking(work.owner, f"{now:%Y%m%d%H%M%S}")
    return True


def _remove_late(work: due.Work, now: datetime) -> bool:
    """What was posted late: for an upload, or to the inbox of a run."""
    file = work.upload
    if file is None:
        return delete.remove_late_delivery(work.run, now)
    return delete.remove_late(work.owner, file)


# What each kind is counted as and put right by, in this order: forms come last, because these are as many as somebody
# likes, and nobody waits for them.
WORK: Mapping[due.Kind, tuple[str, Callable[[due.Work, datetime], bool]]] = {
    due.Kind.RUN: ("runs", _reconcile),
    due.Kind.STOP: ("stops", _stop),
    due.Kind.LEFT: ("listings", _list_files),
    due.Kind.GONE: ("removals", _remove),
    due.Kind.GROUP: ("groups", _delete_group),
    due.Kind.POSTPROC: ("postProcessing", _post_process),
    due.Kind.REBUILD: ("rebuilds", _rebuild),
    due.Kind.FORM: ("uploads", _remove_late),
}

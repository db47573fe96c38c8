"""Canceling a run: the mark that its step watches, the state, then the execution."""

import botocore.exceptions

from flowserverless import api, engine
from flowserverless.domain import runs
from flowserverless.store import files
from flowserverless.store import runs as stored_runs


def cancel(run: runs.Run, reason: str | None, now: str) -> runs.Run:
    """The run CANCELED, its step told to stop and its execution stopped; raises Conflict when it ended before.

    The mark comes first: should this function die after any of its calls, the step still ends itself, and the
    execution finds the run CANCELED or cancels it. An execution that cannot be stopped now ends with its step.
    """
    runs.require_active(run)
    files.write(files.run(run.id, "canceled"), b"")
    ended = stored_runs.finish(run.id, run.workflow, lambda now_run: runs.canceled(now_run, now, reason))
    if not ended.won and ended.run.finished_at != now:
        runs.require_active(ended.run)
    try:
        engine.stop(run.id, "CANCELED", reason or "canceled at user request")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        api.logger.exception("execution not stopped; it ends by itself", extra={"run": run.id})
    return ended.run

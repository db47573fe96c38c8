"""Deleting: rows and ranking entries at once, objects afterwards by calls that are repeated until none is left."""

import contextlib
from datetime import datetime

from flowserverless import api, engine, postprocessing
from flowserverless.domain import errors, ids, parameters, runs
from flowserverless.store import files, groups, table
from flowserverless.store import runs as stored_runs

# A thousand objects go in one request; this many requests fit well into the function's time.
REQUESTS = 20


def delete(run: runs.Run, now: str) -> None:
    """Delete a final run. Raises Conflict (active, or shown by its workflow), NotFound.

    Once the transaction is through, the rest is owed: what fails here is done by the reconciler.
    """
    changed = stored_runs.delete(run.id, run.workflow, now)
    try:
        engine.remove_files(run.id, "0")
        if changed:
            postprocessing.start_if_owed(run.workflow, api.now())
    except Exception:
        # Whatever it is: the run is deleted, and an error would say that it is not.
        api.logger.exception("the reconciler does the rest", extra={"run": run.id})


def remove_files(run_id: str, now: datetime) -> bool:
    """Delete some of a deleted run's objects, then its further items; says whether nothing is left.

    The note that objects are left goes last, and not before a step that was canceled has written its last.
    """
    for _ in range(REQUESTS):
        keys = files.some(files.run(run_id)) or files.some(f"inbox/results/{run_id}/")
        if not keys:
            stored_runs.forget(run_id, runs.timestamp(now))
            return True
        files.remove(keys)
    return False


def delete_upload(group: table.GroupItem, file: str) -> None:
    """Delete an uploaded file. Raises NotFound, Conflict while an active run takes it as an argument."""
    item = groups.upload(group.group, file)
    if group.active_runs and file in _in_use(group.group):
        raise errors.Conflict("an active run takes this file as an argument", "FILE_IN_USE")
    files.remove([files.upload(group.group, file)])
    item.delete()


def _in_use(group: str) -> set[str]:
    used: set[str] = set()
    for state in runs.ACTIVE:
        found, _ = stored_runs.newest(ids.RunId(group, ""), 1000, state, None)
        for run in found:
            used |= parameters.referenced_files(list(run.arguments))
    return used


def delete_group(group: table.GroupItem, now: str) -> None:
    """Delete a group with its runs, uploads and ranking entries. Raises Conflict while it has active runs.

    Closing it comes first, so that no run starts meanwhile; a deletion that was interrupted goes on when repeated.
    """
    groups.close(group)
    while True:
        found, more = stored_runs.newest(ids.RunId(group.group, ""), 100, None, None)
        for run in found:
            # Somebody else may be deleting it, or the group, at the same moment.
            with contextlib.suppress(errors.NotFound):
                delete(run, now)
        if not more:
            break
    items, _ = groups.uploads(group.group, 1000)
    while items:
        files.remove([files.upload(group.group, item.file) for item in items])
        for item in items:
            item.delete()
        items, _ = groups.uploads(group.group, 1000)
    groups.delete(group)

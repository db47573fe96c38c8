"""Deleting: rows and ranking entries at once, objects afterwards by calls that are repeated until none is left."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from flowserverless import api, engine, postprocessing
from flowserverless.domain import errors, ids, parameters, runs
from flowserverless.store import files, groups, table
from flowserverless.store import runs as stored_runs

# A thousand objects go in one request; this many requests fit well into the function's time.
REQUESTS = 20
# A form for an upload is taken for an hour, but what is posted with it may be long on its way.
POSTED_SECONDS = 86400


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


def delete_upload(group: table.GroupItem, file: str, now: datetime) -> None:
    """Delete an uploaded file. Raises NotFound, Conflict while an active run takes it as an argument."""
    item = groups.upload(group.group, file)
    if group.active_runs and file in _in_use(group.group):
        raise errors.Conflict("an active run takes this file as an argument", "FILE_IN_USE")
    _remove_uploads(group.group, [item], now)


def _remove_uploads(group: str, found: Sequence[table.UploadItem], now: datetime) -> None:
    with table.WithdrawnItem.batch_write() as batch:
        for item in found:
            late = datetime.fromisoformat(item.created_at) + timedelta(seconds=POSTED_SECONDS)
            if late > now:
                key = table.withdrawn(group, item.file)
                batch.save(table.WithdrawnItem(*key, due="FORM", due_at=runs.timestamp(late)))
    files.remove([files.upload(group, item.file) for item in found])
    with table.UploadItem.batch_write() as batch:
        for item in found:
            batch.delete(item)


def remove_late(group: str, file: str) -> bool:
    """Remove what was posted for an upload after it was deleted; says whether there was such an upload.

    One whose deletion was interrupted has its row still, and stays.
    """
    gone = table.get(table.upload(group, file)) is None
    if gone:
        files.remove([files.upload(group, file)])
    table.WithdrawnItem(*table.withdrawn(group, file)).delete()
    return gone


def _in_use(group: str) -> set[str]:
    used: set[str] = set()
    for state in runs.ACTIVE:
        found, _ = stored_runs.newest(ids.RunId(group, ""), 1000, state, None)
        for run in found:
            used |= parameters.referenced_files(list(run.arguments))
    return used


def delete_group(group: table.GroupItem, now: datetime) -> None:
    """Delete a group with its runs, uploads and ranking entries. Raises Conflict while it has active runs.

    Closing it comes first, so that no run starts meanwhile; a deletion that was interrupted goes on when repeated.
    """
    groups.close(group)
    while True:
        found, more = stored_runs.newest(ids.RunId(group.group, ""), 100, None, None)
        for run in found:
            # Somebody else may be deleting it, or the group, at the same moment.
            with contextlib.suppress(errors.NotFound):
                delete(run, runs.timestamp(now))
        if not more:
            break
    items, _ = groups.uploads(group.group, 1000)
    while items:
        _remove_uploads(group.group, items, now)
        items, _ = groups.uploads(group.group, 1000)
    groups.delete(group)

"""Deletes runs, uploads, groups and users: items and ranking entries at once, objects later until none is left."""

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from flowserverless import clock, logs
from flowserverless.aws import cognito, step_functions
from flowserverless.domain import errors, groups, ids, runs, uploads, users
from flowserverless.domain.templates import arguments
from flowserverless.operations import leave, post_process
from flowserverless.store import (
    bucket,
    group_items,
    revocations,
    run_items,
    transactions,
    upload_items,
    usernames,
)

# A thousand objects go in one request; this many requests fit well into the function's time.
REQUESTS = 20
ROUNDS = 20
# What is deleted of a group before the clock is looked at, so that a request is answered in its time.
RUNS_AT_ONCE = 10
UPLOADS_AT_ONCE = 200
SECONDS = 12
INBOX_WATCH = timedelta(hours=1)
# Reads the group for the caller, whom it judges anew each time.
Read = Callable[[], groups.Group]


def run(run: runs.Run, now: datetime, by: groups.Membership | None = None) -> None:
    """Delete a final run. Raises Conflict (active, or shown by its workflow), NotFound, Forbidden (`by` is no member).

    Once the transaction is through, the rest is owed: what fails here is done by the reconciler.
    """
    changed = run_items.delete(run.id, run.workflow, now, by)
    with logs.left_to_the_reconciler("objects not removed or post-processing not started", run=run.id):
        step_functions.remove_files(run.id, "0")
        if changed:
            post_process.start_if_owed(run.workflow, clock.now())


def files(run_id: str, now: datetime) -> bool:
    """Delete some of a deleted run's objects, then its further items; says whether nothing is left.

    The note that objects are left goes last, and not before a step that was canceled has written its last.
    """
    for _ in range(REQUESTS):
        keys = bucket.some(bucket.run(run_id)) or bucket.some(bucket.inbox(run_id))
        if not keys:
            run_items.forget(run_id, now)
            return True
        bucket.remove(keys)
    return False


def upload(who: users.Caller, read: Read, file: str, now: datetime) -> None:
    """Delete an uploaded file. Raises Forbidden, NotFound, Conflict while an active run takes it as an argument.

    The row goes first, so that nothing begins with a file that is half gone; its object is owed then.
    """

    def attempt() -> uploads.Upload:
        group = read()
        kept = upload_items.get(group.id, file)
        # Of a file that no run was started with, the transaction notices one that is started now.
        if kept.uses != 0 and file in _in_use(group.id):
            raise errors.Conflict("an active run takes this file as an argument", errors.FILE_IN_USE)
        upload_items.withdraw(group, kept, now, who.acting(group.id))
        return kept

    busy = "runs are started with this file all the time; try again"
    _remove_object(transactions.until_settled(attempt, ROUNDS, busy, transactions.pause), now)


def _remove_object(deleted: uploads.Upload, now: datetime) -> None:
    with logs.left_to_the_reconciler("object not removed", file=deleted.id):
        bucket.remove([bucket.upload(deleted.group, deleted.id)])
        if deleted.closes_at <= now:
            upload_items.forget(deleted.group, deleted.id)


def _remove_uploads(found: Sequence[uploads.Upload], now: datetime) -> None:
    """Delete uploads of a closed group; their rows go last, so that whoever goes on finds what is left."""
    upload_items.bury(one for one in found if one.closes_at > now)
    bucket.remove([bucket.upload(one.group, one.id) for one in found])
    upload_items.delete(found)


def remove_late(group: str, file: str) -> bool:
    """Remove what was posted for an upload after it was deleted; says whether there was such an upload.

    One whose deletion was interrupted has its row still, and stays.
    """
    gone = upload_items.seek(group, file) is None
    if gone:
        bucket.remove([bucket.upload(group, file)])
    upload_items.forget(group, file)
    return gone


def remove_late_delivery(run: ids.RunId, now: datetime) -> bool:
    """Begin to remove what was delivered to a run after it was deleted, every hour until nothing can follow."""
    closes_at = run_items.inbox_closes_at(run)
    if closes_at is None:
        return False
    step_functions.remove_files(str(run), f"{now:%m%d%H%M%S}")
    if closes_at <= now:
        run_items.forget_inbox(run)
    else:
        run_items.watch_inbox(run, min(closes_at, now + INBOX_WATCH))
    return True


def _in_use(group: str) -> set[str]:
    used: set[str] = set()
    for state in runs.ACTIVE:
        found, _ = run_items.newest(ids.Owner(group), 1000, state, None)
        for run in found:
            used |= arguments.referenced_files(list(run.arguments))
    return used


def group(read: Read, now: datetime) -> bool:
    """Delete a group with its runs, uploads and ranking entries; says whether nothing is left.

    Closing it comes first, so that nothing begins meanwhile; whatever is then left is owed. Who asks again goes on.
    Raises Forbidden, NotFound, Conflict while it has active runs, Busy.
    """
    group_id = _close(read, now)
    group_items.unlist(group_id)
    if rest_of_group(group_id, now, SECONDS):
        return True
    with logs.left_to_the_reconciler("rest not deleted", group=group_id):
        step_functions.remove_group(group_id, f"{now:%Y%m%d%H%M%S}")
    return False


def _close(read: Read, now: datetime) -> str:
    """Let nothing of the group begin any more, and answer its id."""

    def attempt() -> str:
        group = read()
        if not group.closed:
            group_items.close(group, now + groups.PATIENCE)
        return group.id

    busy = "the group was changed by others all the time; try again"
    return transactions.until_settled(attempt, ROUNDS, busy, transactions.pause)


def rest_of_group(group_id: str, now: datetime, seconds: float) -> bool:
    """Delete for a while what a closed group has, and the group last; says whether nothing is left.

    It may be done again, and by several at once: each begins with what is there.
    """
    until = time.monotonic() + seconds
    while group := group_items.closed(group_id):
        group_items.postpone(group, now + groups.PATIENCE)
        if _delete_some(group, now):
            return True
        if time.monotonic() >= until:
            return False
    return True


def _delete_some(group: groups.Group, now: datetime) -> bool:
    """Delete a batch of what is left; says whether that was the group itself."""
    found, _ = run_items.newest(ids.Owner(group.id), RUNS_AT_ONCE, None, None)
    for each in found:
        # Somebody else may be deleting it, or the group, at the same moment.
        with contextlib.suppress(errors.NotFound):
            run(each, now)
    kept, _ = ([], False) if found else upload_items.page(group.id, UPLOADS_AT_ONCE)
    _remove_uploads(kept, now)
    if found or kept or not group_items.sweep(group.id):
        return False
    group_items.delete(group)
    return True


def user(user: str, name: str, password: str, now: datetime) -> None:
    """Delete the account of a user who knows its password. Raises InvalidRequest, Busy."""
    cognito.prove(name, password)
    leave.all_groups(user)
    cognito.delete(name)
    revocations.sign_out_everywhere(user, now)
    # Somebody may have added the user to a group meanwhile; nobody can any more.
    leave.all_groups(user)
    usernames.release(name, user)

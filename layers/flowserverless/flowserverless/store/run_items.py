"""Runs in the table: every change of state is one conditional transaction, and whoever comes second learns so."""

import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors, frozen, groups, idempotency, ids, moments, post_processing, runs, workflows
from flowserverless.domain.ranking import standing
from flowserverless.store import (
    batch_reads,
    boards,
    due,
    group_items,
    idempotency_keys,
    members,
    table,
    transactions,
    workflow_items,
)

# What of a step is a moment, and text where steps are kept.
STEP_TIMES = ("started_at", "finished_at")
ROUNDS = 50
# A step whose run ended without it (canceled, timed out) writes no longer than a Lambda lives: 15 minutes.
STRAGGLER = timedelta(minutes=16)
# What is posted with a form that is about to expire may be long on its way.
DELIVERY = timedelta(days=1)


@frozen.dataclass
class Context:
    """A run and what decides over it: its group (None for post-processing) and its workflow."""

    run: runs.Run
    group: groups.Group | None
    workflow: workflows.Workflow


@frozen.dataclass
class Ended:
    """What became of a request to end a run: the run as it is now, and whether this request ended it."""

    run: runs.Run
    won: bool
    ranking_changed: bool = False


def from_item(item: Any) -> runs.Run:
    """The run that an item holds."""
    return runs.Run(
        id=str(table.run_of(item)),
        workflow=item.workflow,
        version=item.version,
        state=runs.State(item.state),
        created_at=item.created_at,
        deadline=item.deadline,
        group=item.group,
        started_by=item.started_by,
        as_organiser=bool(item.as_organiser),
        started_at=item.started_at,
        finished_at=item.finished_at,
        arguments=tuple(item.arguments),
        parameters=tuple(item.parameters),
        file_names=item.file_names or {},
        uploads={file: runs.TakenUpload(**upload) for file, upload in (item.uploads or {}).items()},
        config=item.config,
        executors=tuple(item.executors),
        steps=tuple(_step(step) for step in item.steps),
        files=tuple(runs.ResultFile(**file) for file in item.files or ()),
        file_count=int(item.file_count or 0),
        messages=tuple(item.messages or ()),
        reason=runs.Reason(**item.reason) if item.reason else None,
        archive=runs.Archive(**item.archive) if item.archive else None,
        standings={board: runs.Standing(**stood) for board, stood in (item.standings or {}).items()},
        ranking_version=None if item.ranking_version is None else int(item.ranking_version),
        ingest_token=item.ingest_token,
    )


def _step(step: Mapping[str, Any]) -> runs.Step:
    times = {name: moments.read(step[name]) for name in STEP_TIMES if step.get(name)}
    return runs.Step(**{**step, **times, "state": runs.State(step["state"])})


def _step_document(step: runs.Step) -> dict[str, Any]:
    times = ((name, getattr(step, name)) for name in STEP_TIMES)
    return {**asdict(step), **{name: moments.text(at) for name, at in times if at}}


def _documents(things: Any) -> list[dict[str, Any]]:
    return [asdict(thing) for thing in things]


def to_item(run: runs.Run, stop: bool = False) -> table.RunItem:
    """The item that holds a run; while it is active it stands in the index of what is due, at its deadline.

    One that ended without its execution stays there until that is stopped: `stop`.
    """
    return table.RunItem(
        *table.run(ids.run_id(run.id)),
        due=due.Kind.RUN if run.active else due.Kind.STOP if stop else None,
        due_at=run.deadline if run.active or stop else None,
        workflow=run.workflow,
        version=run.version,
        state=str(run.state),
        created_at=run.created_at,
        deadline=run.deadline,
        group=run.group,
        started_by=run.started_by,
        as_organiser=run.as_organiser or None,
        started_at=run.started_at,
        finished_at=run.finished_at,
        arguments=list(run.arguments),
        parameters=list(run.parameters),
        file_names=dict(run.file_names) or None,
        uploads={file: asdict(upload) for file, upload in run.uploads.items()} or None,
        config=dict(run.config),
        executors=list(run.executors),
        steps=[_step_document(step) for step in run.steps],
        files=_documents(run.files),
        file_count=run.file_count,
        messages=list(run.messages),
        reason=asdict(run.reason) if run.reason else None,
        archive=asdict(run.archive) if run.archive else None,
        standings={board: asdict(stood) for board, stood in run.standings.items()},
        ranking_version=run.ranking_version,
        ingest_token=run.ingest_token,
    )


ACTIVE = table.RunItem.state.is_in(*(str(state) for state in runs.ACTIVE))


def wanted(run: ids.RunId) -> batch_reads.Wanted[runs.Run]:
    """A run, to be read together with other things."""
    return batch_reads.Wanted(table.run(run), from_item)


def get(run_id: str) -> runs.Run:
    """The run as it is now; raises NotFound."""
    found = batch_reads.one(wanted(ids.run_id(run_id)))
    if found is None:
        raise runs.unknown(run_id)
    return found


def several(run_ids: Iterable[str]) -> dict[str, runs.Run]:
    """Those of the runs that are there, by id, in one BatchGetItem; of none, none is made."""
    asked = {run_id: wanted(ids.run_id(run_id)) for run_id in run_ids}
    found = batch_reads.together(*asked.values())
    there = ((run_id, found.get(one)) for run_id, one in asked.items())
    return {run_id: run for run_id, run in there if run}


def context(run_id: str, workflow: str) -> Context:
    """The run with its group and its workflow, in one BatchGetItem; raises NotFound."""
    parsed = ids.run_id(run_id)
    keys = [table.run(parsed), table.workflow(workflow)]
    if not parsed.owner.post_processing:
        keys.append(table.group(parsed.owner.name))
    found = table.fetch(keys)
    if any(key not in found for key in keys):
        raise runs.unknown(run_id)
    group = group_items.from_item(found[keys[2]]) if keys[2:] else None
    return Context(from_item(found[keys[0]]), group, workflow_items.from_item(found[keys[1]]))


def newest(owner: ids.Owner, limit: int, state: runs.State | None, before: str | None) -> tuple[list[runs.Run], bool]:
    """Runs of a group (or of post-processing), newest first, behind the ULID `before`; and whether more follow."""
    key = table.RunItem.sk
    partition, prefix = table.run(ids.RunId(owner, ""))
    items = table.RunItem.query(
        partition,
        key.between(prefix, prefix + before) if before else key.startswith(prefix),
        filter_condition=table.RunItem.state == str(state) if state else None,
        consistent_read=True,
        scan_index_forward=False,
    )
    found: list[runs.Run] = []
    for item in items:
        if before and item.sk == prefix + before:
            continue
        if len(found) == limit:
            return found, True
        found.append(from_item(item))
    return found, False


def oldest(owner: ids.Owner, before: str, limit: int) -> list[runs.Run]:
    """Up to `limit` runs of a group (or of post-processing) that are older than the ULID `before`, oldest first."""
    partition, prefix = table.run(ids.RunId(owner, ""))
    key = table.RunItem.sk.between(prefix, prefix + before)
    items = table.RunItem.query(partition, key, consistent_read=True, limit=limit)
    return [from_item(item) for item in items]


def create(
    run: runs.Run,
    use: idempotency.Use | None,
    quota: int,
    files: Iterable[str] = (),
    by: groups.Membership | None = None,
) -> None:
    """Write a group's new run PENDING, count it, and bind its idempotency key, all or nothing.

    Raises ConditionFailed when the group is gone, has `quota` active runs, one of the uploads `files` is gone, the
    member `by` is one no more, or the key is taken and has not expired; the caller reads which. The group's counter
    is what keeps a group from being deleted under a run that starts, and an upload's counter keeps the upload.
    """
    group = table.GroupItem(*table.group(str(run.group)))

    def compose(transaction: TransactWrite) -> None:
        members.require(transaction, by)
        for file in files:
            item = table.UploadItem(*table.upload(str(run.group), file))
            transaction.update(item, [table.UploadItem.uses.add(1)], condition=table.UploadItem.pk.exists())
        transaction.save(to_item(run), condition=table.RunItem.pk.does_not_exist())
        transaction.update(
            group,
            [table.GroupItem.active_runs.add(1)],
            condition=table.GroupItem.active_runs.between(0, quota - 1),
        )
        if use:
            idempotency_keys.bind(transaction, use, run.created_at)

    transactions.commit(compose)


def create_post_processing(run: runs.Run) -> None:
    """Write a post-processing run PENDING, at most one per workflow; raises ConditionFailed when one is active."""
    workflow = table.WorkflowItem(*table.workflow(run.workflow))

    def compose(transaction: TransactWrite) -> None:
        transaction.save(to_item(run), condition=table.RunItem.pk.does_not_exist())
        transaction.update(
            workflow,
            [table.WorkflowItem.active_run.set(run.id)],
            condition=table.WorkflowItem.active_run.does_not_exist() & (table.WorkflowItem.due == due.Kind.POSTPROC),
        )

    transactions.commit(compose)


def save_progress(run: runs.Run) -> bool:
    """Record where an active run is (state RUNNING, its steps, its executors); False when it has ended meanwhile."""
    item = to_item(run)
    actions: list[Action] = [
        table.RunItem.state.set(item.state),
        table.RunItem.started_at.set(item.started_at),
        table.RunItem.steps.set(item.steps),
    ]
    if run.ranking_version is not None:
        actions.append(table.RunItem.ranking_version.set(run.ranking_version))
    if run.ingest_token is not None:
        actions.append(table.RunItem.ingest_token.set(run.ingest_token))
    return _update(item, actions, ACTIVE)


def record_files(run: runs.Run) -> bool:
    """Add files and archive to a run that ended before they were known (a canceled one); False when it is gone."""
    item = to_item(run)
    actions: list[Action] = [
        table.RunItem.files.set(item.files),
        table.RunItem.file_count.set(item.file_count),
        table.RunItem.archive.set(item.archive),
        table.RunItem.due.remove(),
        table.RunItem.due_at.remove(),
    ]
    return _update(item, actions, table.RunItem.state.exists())


def _update(item: table.RunItem, actions: list[Action], condition: Any) -> bool:
    return table.written(lambda: item.update(actions=actions, condition=condition))


def finish(
    run_id: str,
    workflow: str,
    ending: Callable[[runs.Run], runs.Run],
    measure: boards.Measure | None = None,
    stop: bool = False,
    by: groups.Membership | None = None,
) -> Ended:
    """End an active run: its final state, its files, its entries on the boards and the version of the ranking, at once.

    `ending` makes the final run from the run as it is; `measure` reads its results by a board's schema and is
    asked only for a SUCCESS. `stop` says that the run's execution is not what ends it, and is still to be stopped;
    that is due until `settle`. Whoever comes second changes nothing and gets the run as it is. Others that rank
    runs of the group at the same moment make this start over with what they wrote. Raises NotFound, Busy, and
    Forbidden when the member `by`, who wants it, is one no more.
    """

    def attempt() -> Ended:
        now = context(run_id, workflow)
        if not now.run.active:
            return Ended(now.run, won=False)
        final = ending(now.run)
        if now.group is None:
            return _finish_post_processing(final, now, stop)
        return _finish_run(final, now, now.group, measure, stop, by)

    busy = f"run {run_id} could not be ended: its group keeps changing"
    return transactions.until_settled(attempt, ROUNDS, busy, lambda _: members.check(by))


def settle(run: runs.Run) -> None:
    """Note that the execution of a run which ended without it is stopped; harmless when repeated.

    What its step had written is still to be listed, which is due until `record_files`.
    """
    item = table.RunItem(*table.run(ids.run_id(run.id)))
    left: list[Action] = [table.RunItem.due.set(due.Kind.LEFT), table.RunItem.due_at.set(_quiet_at(run))]
    _update(item, left, table.RunItem.due == due.Kind.STOP)


def _finish_run(
    final: runs.Run,
    now: Context,
    group: groups.Group,
    measure: boards.Measure | None,
    stop: bool,
    by: groups.Membership | None,
) -> Ended:
    entries: dict[str, standing.Entry] = {}
    if final.succeeded and measure:
        standings, entries = boards.measured(final, group.bests, measure)
        final = replace(final, standings=standings)
    changed = False

    def compose(transaction: TransactWrite) -> None:
        nonlocal changed
        members.require(transaction, by)
        transaction.save(to_item(final, stop), condition=ACTIVE)
        bests = boards.enter(transaction, group, entries)
        boards.revise(transaction, group, bests, ended=1)
        changed = _raise_version(transaction, now.workflow, group.bests, bests, _ended_at(final))

    transactions.commit(compose)
    return Ended(final, won=True, ranking_changed=changed)


def _finish_post_processing(final: runs.Run, now: Context, stop: bool) -> Ended:
    """Of post-processing, the last good run and the last run are kept; what this one takes the place of is deleted."""
    workflow = now.workflow
    final = replace(final, ranking_version=now.run.ranking_version)
    actions: list[Action] = [
        table.WorkflowItem.active_run.remove(),
        table.WorkflowItem.last_run.set(final.id),
    ]
    settled = post_processing.settle(workflow, final)
    if settled.good_run and settled.good_run != workflow.good_run:
        actions.append(table.WorkflowItem.good_run.set(settled.good_run))
    if not settled.owed:
        actions += [table.WorkflowItem.due.remove(), table.WorkflowItem.due_at.remove()]
    quiet_at = _ended_at(final) + STRAGGLER

    def compose(transaction: TransactWrite) -> None:
        transaction.save(to_item(final, stop), condition=ACTIVE)
        for run_id in settled.obsolete:
            _forsake(transaction, ids.run_id(run_id), quiet_at)
        transaction.update(
            table.WorkflowItem(*table.workflow(workflow.id)),
            actions,
            condition=(table.WorkflowItem.active_run == final.id)
            & (table.WorkflowItem.version == workflow.version)
            & (table.WorkflowItem.ranking_version == workflow.ranking_version),
        )

    transactions.commit(compose)
    return Ended(final, won=True)


def withdraw_post_processing(workflow: workflows.Workflow, now: datetime) -> bool:
    """Let a workflow with nothing ranked owe and show nothing, and delete what it showed.

    False when it is not as it was read, or a run is active: what changed it starts this anew.
    """
    kind = table.WorkflowItem
    actions: list[Action] = [each.remove() for each in (kind.due, kind.due_at, kind.good_run, kind.last_run)]
    same = (kind.ranking_version == workflow.ranking_version) & (kind.version == workflow.version)
    for attribute, value in (
        (kind.board, workflow.board),
        (kind.good_run, workflow.good_run),
        (kind.last_run, workflow.last_run),
    ):
        same &= table.is_still(attribute, value)

    def compose(transaction: TransactWrite) -> None:
        for run_id in workflow.shown_runs:
            _forsake(transaction, ids.run_id(run_id), now + STRAGGLER)
        item = kind(*table.workflow(workflow.id))
        transaction.update(item, actions, condition=same & kind.active_run.does_not_exist())

    try:
        transactions.commit(compose)
    except transactions.ConditionFailed:
        return False
    return True


def _forsake(transaction: TransactWrite, run: ids.RunId, quiet_at: datetime, condition: Any = None) -> None:
    """Replace a run by a note that its objects are to be removed; after `quiet_at` nothing adds any."""
    transaction.delete(table.RunItem(*table.run(run)), condition=condition)
    transaction.save(table.GoneItem(*table.gone(run), run=str(run), due=due.Kind.GONE, due_at=quiet_at))


def _ended_at(run: runs.Run) -> datetime:
    assert run.finished_at, run  # noqa: S101 - it is final
    return run.finished_at


def _quiet_at(run: runs.Run) -> datetime:
    """When the last step of a run that ended has certainly written its last object."""
    ended = _ended_at(run)
    return ended if run.succeeded else ended + STRAGGLER


def _delivery_ends_at(run: runs.Run) -> datetime | None:
    """When nothing more can be delivered to a run: the form for it is good until the deadline, and then it may take."""
    return run.deadline + DELIVERY if run.external else None


def rank(run_id: str, workflow: str, board: str, measure: boards.Measure) -> None:
    """Enter a successful run on a board that its group joined after the run had ended.

    A run that stands there already, or is gone, and a board that the group has left are no error. Raises Busy.
    """

    def attempt() -> None:
        try:
            found = _settled(run_id, workflow)
        except errors.NotFound:
            return
        if found.group and board in found.group.bests and board not in found.run.standings:
            _rank(found.run, found.group, board, measure)

    busy = f"run {run_id} could not be ranked: its group keeps changing"
    transactions.until_settled(attempt, ROUNDS, busy)


def _rank(run: runs.Run, group: groups.Group, board: str, measure: boards.Measure) -> None:
    standings, entries = boards.measured(run, [board], measure)
    kept = {known: stood for known, stood in run.standings.items() if known in group.bests}
    item = to_item(replace(run, standings={**kept, **standings}))

    def compose(transaction: TransactWrite) -> None:
        transaction.update(
            item, [table.RunItem.standings.set(item.standings)], condition=table.RunItem.state == str(run.state)
        )
        boards.revise(transaction, group, boards.enter(transaction, group, entries))

    transactions.commit(compose)


def _raise_version(
    transaction: TransactWrite,
    workflow: workflows.Workflow,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Count a change of the list of best runs; says whether the board that people see changed."""
    if before == after:
        return False
    visible = before.get(str(workflow.board)) != after.get(str(workflow.board))
    same = table.is_still(table.WorkflowItem.board, workflow.board) & (table.WorkflowItem.version == workflow.version)
    if not visible:
        transaction.condition_check(table.WorkflowItem, *table.workflow(workflow.id), condition=same)
        return False
    actions: list[Action] = [table.WorkflowItem.ranking_version.add(1)]
    if workflow.post_processed:
        actions += [table.WorkflowItem.due.set(due.Kind.POSTPROC), table.WorkflowItem.due_at.set(now)]
    transaction.update(table.WorkflowItem(*table.workflow(workflow.id)), actions, condition=same)
    return True


def delete(run_id: str, workflow: str, now: datetime, by: groups.Membership | None = None) -> bool:
    """Remove a final run with its entries, in one transaction; says whether the ranking changed.

    What is left is a note that its objects are to be removed. Raises NotFound, Conflict (active), Conflict for the
    post-processing run that the workflow shows, and Forbidden when the member `by`, who wants it, is one no more.
    """

    def attempt() -> bool:
        found = _settled(run_id, workflow)
        runs.require_final(found.run)
        return _delete(found, now, by)

    busy = f"run {run_id} could not be deleted: its group keeps changing"
    return transactions.until_settled(attempt, ROUNDS, busy, lambda _: members.check(by))


def _settled(run_id: str, workflow: str) -> Context:
    """As `context`, with the run read after its group: it then has every standing that the group's revision counts."""
    return replace(context(run_id, workflow), run=get(run_id))


def _delete(found: Context, now: datetime, by: groups.Membership | None) -> bool:
    run, group, workflow = found.run, found.group, found.workflow
    parsed = ids.run_id(run.id)
    if group is None and run.id == workflow.good_run:
        raise errors.Conflict(
            f"run {run.id} is the post-processing result that the workflow shows", errors.RUN_IS_SHOWN
        )
    successors = boards.successors(group, run) if group else {}
    changed = False

    def compose(transaction: TransactWrite) -> None:
        nonlocal changed
        members.require(transaction, by)
        _forsake(transaction, parsed, _quiet_at(run), table.RunItem.state == str(run.state))
        if (closes_at := _delivery_ends_at(run)) and closes_at > now:
            transaction.save(table.InboxItem(*table.inbox(parsed), until=closes_at, due=due.Kind.FORM, due_at=now))
        if group:
            bests = boards.leave(transaction, group, run, successors)
            boards.revise(transaction, group, bests)
            changed = _raise_version(transaction, workflow, group.bests, bests, now)
        else:
            transaction.condition_check(
                table.WorkflowItem,
                *table.workflow(run.workflow),
                condition=table.WorkflowItem.good_run.does_not_exist() | (table.WorkflowItem.good_run != run.id),
            )

    transactions.commit(compose)
    return changed


def forget(run_id: str, now: datetime) -> None:
    """Drop what is left of a deleted run, after its objects are gone; harmless when repeated.

    While something may still write, the note stays, so that the reconciler has the objects removed once more.
    """
    parsed = ids.run_id(run_id)
    with table.FilesItem.batch_write() as batch:
        for page in _further_pages(parsed):
            batch.delete(page)
    gone = table.GoneItem(*table.gone(parsed))
    quiet = table.GoneItem.due_at.does_not_exist() | (table.GoneItem.due_at <= now)
    table.written(lambda: gone.delete(condition=quiet))


def inbox_closes_at(run: ids.RunId) -> datetime | None:
    """When nothing more can be delivered to a deleted run; None if nothing can be any more."""
    item = table.get(table.inbox(run))
    return item.until if item else None


def watch_inbox(run: ids.RunId, due_at: datetime) -> None:
    """Have the reconciler look into the inbox of a deleted run again from `due_at` on."""
    table.InboxItem(*table.inbox(run)).update(actions=[table.InboxItem.due_at.set(due_at)])


def forget_inbox(run: ids.RunId) -> None:
    """Note that nothing more can be delivered to a deleted run; harmless when repeated."""
    table.InboxItem(*table.inbox(run)).delete()


def save_further_files(run_id: str, pages: Sequence[Sequence[runs.ResultFile]]) -> None:
    """Keep the pages of files after the first; they count once the run names them. A repeat writes the same again.

    Each is written while there is the run, so that what was deleted with it does not come back. Raises NotFound.
    """
    parsed = ids.run_id(run_id)
    for number, page in enumerate(pages, 1):
        item = table.FilesItem(*table.files(parsed, number), files=_documents(page))
        try:
            transactions.commit(functools.partial(_save_page, parsed, item))
        except transactions.ConditionFailed:
            raise runs.unknown(run_id) from None


def _save_page(run: ids.RunId, page: table.FilesItem, transaction: TransactWrite) -> None:
    transaction.condition_check(table.RunItem, *table.run(run), condition=table.RunItem.pk.exists())
    transaction.save(page)


def files_page(run: runs.Run, page: int) -> list[runs.ResultFile]:
    """Page `page` (from 0) of a run's files; [] behind the last."""
    if page == 0:
        return list(run.files)
    if len(run.files) == run.file_count:
        return []
    item = table.get(table.files(ids.run_id(run.id), page))
    return [runs.ResultFile(**file) for file in item.files] if item else []


def complete(run: runs.Run, room: int) -> runs.Run:
    """The run with all of its files, or with the first that take `room` bytes as JSON.

    What does not stand in the run itself is one Query; nothing is read where all do.
    """
    if len(run.files) == run.file_count:
        return run
    further = (file for page in _further_pages(ids.run_id(run.id)) for file in page.files)
    shown: list[runs.ResultFile] = []
    for document in itertools.chain(_documents(run.files), further):
        room -= len(json.dumps(document))
        if room < 0:
            break
        shown.append(runs.ResultFile(**document))
    return replace(run, files=tuple(shown))


def _further_pages(run_id: ids.RunId) -> Iterator[table.FilesItem]:
    partition, prefix = table.files(run_id)
    yield from table.FilesItem.query(partition, table.FilesItem.sk.startswith(prefix), consistent_read=True)

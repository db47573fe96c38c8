"""Starts a run: binds arguments, plans steps, writes run and idempotency key at once, starts the execution."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import botocore.exceptions

from flowserverless import clock, logs, settings
from flowserverless.aws import step_functions
from flowserverless.domain import errors, frozen, groups, idempotency, ids, limits, plans, runs, uploads, users
from flowserverless.domain.templates import arguments, group_parameters, parameters
from flowserverless.store import (
    batch_reads,
    group_items,
    idempotency_keys,
    members,
    run_items,
    transactions,
    upload_items,
    version_items,
)


@frozen.dataclass
class Wanted:
    """What is to be run: arguments and configuration as they were sent, the uploads that the arguments name.

    `key` is the caller's idempotency key; the same `payload` is the same request.
    """

    arguments: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    key: str | None
    files: Collection[str]
    payload: str


def wanted(given: Sequence[Mapping[str, Any]], config: Mapping[str, Any], key: str | None) -> Wanted:
    """What a caller asks for. Raises InvalidRequest, TooLarge."""
    files = arguments.referenced_files(given)
    payload = json.dumps([list(given), dict(config)], sort_keys=True, ensure_ascii=False)
    most = arguments.MAX_BYTES
    if len(payload.encode(errors="surrogatepass")) > most:
        raise errors.TooLarge(f"arguments take more than {most} bytes; upload a file instead")
    return Wanted(given, config, key, files, payload)


def run(
    who: users.Caller, group: groups.Group, kept: Mapping[str, uploads.Upload], asked: Wanted, now: datetime
) -> runs.Run:
    """A new PENDING run, or the one that the idempotency key stands for already.

    `kept` are the uploads that the arguments name and that there are, as they were read with the group. Raises
    InvalidRequest, NotFound (file), Forbidden, Conflict (same key, other payload), OverQuota. An execution that cannot
    be started at this moment is started by the reconciler: once the run is written, it is not lost.
    """
    use = idempotency.use(group, asked.key, asked.payload, now) if asked.key is not None else None
    first = _first(use, batch_reads.together(idempotency_keys.wanted(use)), now) if use else None
    if use and first:
        return _repeated(first, use)
    _require_kept(group.id, [file for file in asked.files if file not in kept])
    taken = {file: upload_items.arrived(upload) for file, upload in kept.items()}
    run = _plan(group, who, asked, {file: upload.name for file, upload in taken.items()}, now)
    run = replace(run, uploads={file: upload.as_taken for file, upload in taken.items()})
    return _submit(run, use and replace(use, run=run.id), taken.keys(), who.acting(group.id))


def _require_kept(group_id: str, missing: Collection[str]) -> None:
    """Raise Conflict if one of these files was deleted a moment ago; of others nothing is known here."""
    known = {file: upload_items.wanted_tombstone(group_id, file) for file in missing}
    there = batch_reads.together(*known.values())
    deleted = [file for file, tombstone in known.items() if tombstone in there]
    if deleted:
        raise _deleted(deleted)


def _deleted(files: Collection[str]) -> errors.Conflict:
    names = ", ".join(f"'{file}'" for file in sorted(files))
    return errors.Conflict(f"deleted meanwhile: file {names}"[:2000], errors.FILE_DELETED)


def _first(use: idempotency.Use, found: batch_reads.Found, now: datetime) -> idempotency.Use | None:
    """The first use of the same key, unless it has expired."""
    first = found.get(idempotency_keys.wanted(use))
    return first if first and first.holds(now) else None


def _plan(
    group: groups.Group,
    who: users.Caller,
    asked: Wanted,
    uploads: Mapping[str, str],
    now: datetime,
) -> runs.Run:
    published = version_items.get(group.workflow)
    template = published.template
    declared = template.parameters
    if group.parameters is not None:
        # Once more: the workflow may have been published anew since the group was created.
        declared = group_parameters.narrow(published.document, group.parameters)
    bound = arguments.bind(declared, asked.arguments, uploads, [path for path, _ in published.files])
    config = {**(group.config or {}), **asked.config}
    external = plans.is_external(config)
    template = replace(template, parameters=declared)
    if external:
        planned = plans.external_plan(template, bound)
    else:
        planned = plans.plan(template, bound, config.get("resources"), settings.current().executors)
    if not planned:
        raise errors.InvalidRequest("this workflow has no steps; it runs on external engines only")
    most = settings.current().max_run_seconds
    seconds = min(config.get("timeoutSeconds") or settings.current().run_seconds, most)
    begun = now if external else None
    state = runs.State.RUNNING if external else runs.State.PENDING
    return runs.Run(
        id=str(ids.RunId(ids.Owner(group.id), clock.new_ulid())),
        workflow=group.workflow,
        version=published.id,
        state=state,
        created_at=now,
        started_at=begun,
        deadline=now + timedelta(seconds=seconds),
        group=group.id,
        started_by=who.user,
        as_organiser=who.organiser,
        arguments=tuple(asked.arguments),
        parameters=tuple(parameters.document(one) for one in declared),
        file_names={file.file_id: file.name for file in bound.files if file.name is not None},
        config=config,
        executors=tuple(step.executor for step in planned),
        steps=tuple(runs.Step(step.name, state, begun) for step in planned),
    )


def _submit(
    run: runs.Run, use: idempotency.Use | None, files: Collection[str], by: groups.Membership | None
) -> runs.Run:
    quota = settings.current().max_active_runs
    try:
        run_items.create(run, use, quota, files, by)
    except transactions.ConditionFailed:
        return _refused(run, use, quota, files, by)
    _start(run)
    return run


def _start(run: runs.Run) -> None:
    refused = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError)
    with logs.left_to_the_reconciler("execution not started", refused, run=run.id):
        step_functions.start(run)


def _refused(
    run: runs.Run, use: idempotency.Use | None, quota: int, files: Collection[str], by: groups.Membership | None
) -> runs.Run:
    members.check(by)
    own, written = group_items.wanted(str(run.group)), run_items.wanted(ids.run_id(run.id))
    kept = {file: upload_items.wanted(str(run.group), file) for file in files}
    found = batch_reads.together(own, written, *kept.values(), *([idempotency_keys.wanted(use)] if use else []))
    if written in found:
        # The transaction was ours and its answer was lost.
        _start(run)
        return run
    first = _first(use, found, run.created_at) if use else None
    if use and first:
        return _repeated(first, use)
    group = found.get(own)
    if group is None or group.closed:
        raise groups.unknown(str(run.group))
    if gone := [file for file, upload in kept.items() if upload not in found]:
        raise _deleted(gone)
    raise errors.OverQuota(
        f"the group has {quota} active runs, as many as it may have: {limits.parameter('MaxActiveRuns')}",
        errors.TOO_MANY_RUNS,
    )


def _repeated(first: idempotency.Use, again: idempotency.Use) -> runs.Run:
    idempotency.require_same(first, again)
    try:
        run = run_items.get(first.run)
    except errors.NotFound:
        detail = f"run {first.run}, which this Idempotency-Key started, was deleted"
        raise errors.Conflict(detail, errors.RUN_IS_DELETED, run=first.run) from None
    if run.state is runs.State.PENDING:
        _start(run)
    return run

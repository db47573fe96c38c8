"""Finishes a run: files, archive, metrics, ranking entries and final state become visible in one moment."""

from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import replace
from datetime import datetime
from typing import Any

from flowserverless import settings
from flowserverless.aws import clients, step_functions
from flowserverless.domain import (
    errors,
    fargate,
    frozen,
    kept_files,
    limits,
    result_files,
    run_directory,
    runs,
    versions,
)
from flowserverless.domain.templates import templates
from flowserverless.operations import batch_jobs, metrics, run_directories
from flowserverless.store import archive, bucket, run_items, version_items

MAX_MESSAGES = 100
READERS = 8


@frozen.dataclass
class Verdict:
    """What a run comes to: its state and reason, and the files that are its results."""

    state: runs.State
    collected: result_files.Collected
    reason: runs.Reason | None = None
    messages: tuple[str, ...] = ()


def run(event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """End the run as its last step's `outcome`, or a service's `failure`, says; answers its state.

    A run that has ended stays as it is; one that was canceled or given up gets the files it had left, when it is
    told (in the words of a Step Functions Execution Status Change) that its execution was stopped. A run that is
    active although its execution was stopped is the reconciler's. `archive: false` in the event does without an
    archive, for the case that building it is what failed.
    """
    stopped = "executionArn" in event
    try:
        run = run_items.get(event["name"] if stopped else event["run"])
    except errors.NotFound:
        return _remove(event)
    if run.active == stopped:
        return _answer(run_items.Ended(run, won=False))
    version = version_items.get(run.workflow, run.version)
    if stopped:
        return _list_left(run, version)
    event = {**event, "outcome": batch_jobs.outcome(run, event.get("outcome"))}
    run = _with_outcome(run, event)
    verdict = _judge(run, version.template, event, _left(run, version))
    complete = _with_files(run, verdict.collected, event.get("archive", True))

    def ending(current: runs.Run) -> runs.Run:
        told = replace(
            current,
            steps=complete.steps,
            files=complete.files,
            file_count=complete.file_count,
            archive=complete.archive,
        )
        return runs.end(told, verdict.state, now, verdict.reason, verdict.messages)

    ended = run_items.finish(run.id, run.workflow, ending, metrics.of(run))
    return _answer(ended)


def _list_left(run: runs.Run, version: versions.Version) -> dict[str, Any]:
    """Record the files of a run that was ended from outside, when nobody had the time to look for them."""
    if not run.succeeded and not run.file_count:
        specs, _ = _declared(run, version.template)
        left = result_files.left(specs, _sizes(_left(run, version)))
        if not run_items.record_files(_with_files(run, left, archived=True)):
            return _remove({"run": run.id})
    return _answer(run_items.Ended(run, won=False))


def _remove(event: Mapping[str, Any]) -> dict[str, Any]:
    """The run was deleted, but a step of it may have written until now: have its objects removed once more."""
    name = event["name"] if "executionArn" in event else event["run"]
    step_functions.remove_files(name, "again")
    return {"run": name, "state": "DELETED"}


def _answer(ended: run_items.Ended) -> dict[str, Any]:
    return {
        "run": ended.run.id,
        "workflow": ended.run.workflow,
        "state": str(ended.run.state),
        "rankingChanged": ended.ranking_changed,
    }


def _with_outcome(run: runs.Run, event: Mapping[str, Any]) -> runs.Run:
    """The run with what is known of the step that was last staged."""
    staged = [index for index, step in enumerate(run.steps) if step.state is runs.State.RUNNING]
    outcome = event.get("outcome")
    return runs.end_step(run, staged[-1], outcome) if outcome and staged else run


def _left(run: runs.Run, version: versions.Version) -> run_directory.Directory:
    """The directory that the run left. What steps took back is removed from S3, where it could be taken for a result.

    Rankings are filled, and other runs' post-processing reads, by the names of files alone.
    """
    found = run_directories.stored(run.id)
    left = run_directories.left(run, version, found)
    bucket.remove([bucket.result(run.id, path) for path in found if path not in left.files])
    return left


def _sizes(left: run_directory.Directory) -> dict[str, int]:
    return {path: file.size or 0 for path, file in left.files.items()}


def _declared(run: runs.Run, template: templates.Template) -> tuple[Sequence[templates.OutputSpec], Sequence[str]]:
    """The outputs that the run's workflow, or its post-processing, declares: with titles, and as plain patterns."""
    if not run.post_processing:
        return template.outputs, template.files_outputs
    return (template.postproc.outputs, template.postproc.files_outputs) if template.postproc else ((), ())


def _judge(
    run: runs.Run, template: templates.Template, event: Mapping[str, Any], left: run_directory.Directory
) -> Verdict:
    stored = _sizes(left)
    specs, patterns = _declared(run, template)
    outcome = event.get("outcome") or {}
    messages = tuple(str(text) for text in outcome.get("messages", ()))[:MAX_MESSAGES]
    reason = _failure(event)
    if reason is None:
        collected = result_files.declared(specs, patterns, stored)
        missing = collected.missing if run.post_processing else result_files.missing(template, stored)
        if not missing:
            return Verdict(runs.State.SUCCESS, collected, messages=left.notes)
        names = ", ".join(f"'{name}'" for name in missing)
        reason = runs.Reason("OUTPUT_MISSING", f"the steps succeeded but did not write {names}"[:2000])
    state = runs.State.CANCELED if reason.code == "CANCELED" else runs.State.ERROR
    # The last step has said it itself, all in one.
    notes = tuple(note for note in left.notes if not any(note in text for text in messages))
    return Verdict(state, result_files.left(specs, stored), reason, (reason.detail, *messages, *notes))


def _failure(event: Mapping[str, Any]) -> runs.Reason | None:
    """What the step says of itself counts more than what a service says of the step: Batch calls each end a failure."""
    failure, outcome = event.get("failure"), event.get("outcome") or {}
    reason = outcome.get("reason")
    if reason:
        return runs.Reason(str(reason["code"])[:100], str(reason["detail"])[:2000])
    if failure:
        cause = str(failure.get("Cause", ""))
        return fargate.failure(cause) or runs.failure_reason(str(failure.get("Error", "")), cause)
    return None


def _with_files(run: runs.Run, collected: result_files.Collected, archived: bool) -> runs.Run:
    """The run with its files recorded beyond the first page, and its archive in S3."""
    digests: Mapping[str, str] = {}
    built = runs.Archive(detail="the archive could not be built; the files can be downloaded one by one")
    if archived:
        built, digests = _archive(run, collected)
    pages = kept_files.pages(run.id, (replace(file, sha256=digests.get(file.path)) for file in collected.files))
    run_items.save_further_files(run.id, pages[1:])
    return replace(run, files=pages[0], file_count=len(collected.files), archive=built)


def _archive(run: runs.Run, collected: result_files.Collected) -> tuple[runs.Archive, Mapping[str, str]]:
    """The archive, or why there is none; and the digests of the files by path, for which all are read either way."""
    most = settings.current().archive_bytes
    total = sum(file.size for file in collected.files)
    if total > most:
        why = (
            f"the files have {total} bytes, more than the {most} that are archived: {limits.parameter('ArchiveBytes')}"
        )
        return runs.Archive(detail=why), _digests(run, collected)
    members = [(file.path, bucket.result(run.id, file.path), file.size) for file in collected.files]
    manifest = {
        "run": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "arguments": list(run.arguments),
    }
    try:
        info = archive.build(clients.client("s3"), bucket.bucket_name(), members, bucket.archive(run.id), manifest)
    except ValueError as error:
        why = f"the files cannot be unpacked side by side: {error}"
        return runs.Archive(detail=why[:2000]), _digests(run, collected)
    return runs.Archive(size=info.size), {file.name: file.sha256 for file in info.files}


def _digests(run: runs.Run, collected: result_files.Collected) -> Mapping[str, str]:
    keys = {file.path: bucket.result(run.id, file.path) for file in collected.files}
    with futures.ThreadPoolExecutor(READERS) as pool:
        return dict(zip(keys, pool.map(bucket.digest, keys.values()), strict=True))

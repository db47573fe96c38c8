"""Publishing a run: its files, archive, metrics, ranking entries and final state become visible in one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flowserverless import archive, aws, documents, postprocessing, settings
from flowserverless.domain import outputs, results, runs, templates
from flowserverless.store import files, rankings, workflows
from flowserverless.store import runs as stored_runs

MOST_MESSAGES = 100


@dataclass(frozen=True)
class Verdict:
    """What a run comes to: its state and reason, and the files that are its results."""

    state: runs.State
    collected: outputs.Collected
    reason: runs.Reason | None = None
    messages: tuple[str, ...] = ()


def publish(event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """End the run as its last step's `outcome`, or a service's `failure`, says; answers its state.

    A run that has ended stays as it is; a canceled one gets the files it had left. `archive: false` in the
    event does without an archive, for the case that building it is what failed.
    """
    run = stored_runs.get(event["run"])
    published = workflows.version(run.workflow, run.version)
    template = templates.parse(published.template, settings.executors())
    run = _with_outcome(run, event)
    verdict = _judge(run, template, event)
    ended_at = runs.timestamp(now)
    complete = _with_files(run, verdict.collected, event.get("archive", True))
    if not run.active:
        if run.state is runs.State.CANCELED and not run.file_count:
            stored_runs.record_files(complete)
        return _answer(stored_runs.Ended(run, won=False))

    def ending(current: runs.Run) -> runs.Run:
        told = replace(
            current,
            steps=complete.steps,
            files=complete.files,
            file_count=complete.file_count,
            archive=complete.archive,
        )
        return runs.end(told, verdict.state, ended_at, verdict.reason, verdict.messages)

    ended = stored_runs.finish(run.id, run.workflow, ending, _measure(run))
    return _answer(ended)


def _answer(ended: stored_runs.Ended) -> dict[str, Any]:
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


def _judge(run: runs.Run, template: templates.Template, event: Mapping[str, Any]) -> Verdict:
    stored = outputs.visible((file.path, file.size) for file in files.listing(files.run(run.id, "files/")))
    specs, patterns = (template.outputs, template.files_outputs) if run.group else postprocessing.declared(template)
    outcome = event.get("outcome") or {}
    messages = tuple(str(text) for text in outcome.get("messages", ()))[:MOST_MESSAGES]
    reason = _failure(event)
    if reason is None:
        collected = outputs.declared(specs, patterns, stored)
        missing = [*collected.missing, *_missing_inputs(run, template, stored)]
        if not missing:
            return Verdict(runs.State.SUCCESS, collected)
        names = ", ".join(f"'{name}'" for name in dict.fromkeys(missing))
        reason = runs.Reason("OUTPUT_MISSING", f"the steps succeeded but did not write {names}"[:2000])
    state = runs.State.CANCELED if reason.code == "CANCELED" else runs.State.ERROR
    return Verdict(state, outputs.left(specs, stored), reason, (reason.detail, *messages))


def _missing_inputs(run: runs.Run, template: templates.Template, stored: Mapping[str, int]) -> list[str]:
    """Files that post-processing needs of every run of this workflow and that this one did not write."""
    if run.group is None or template.postproc is None:
        return []
    return [path for path in template.postproc.inputs_files if path not in stored]


def _failure(event: Mapping[str, Any]) -> runs.Reason | None:
    failure, outcome = event.get("failure"), event.get("outcome") or {}
    if failure:
        return runs.failure_reason(str(failure.get("Error", "")), str(failure.get("Cause", "")))
    reason = outcome.get("reason")
    return runs.Reason(reason["code"], str(reason["detail"])[:2000]) if reason else None


def _with_files(run: runs.Run, collected: outputs.Collected, archived: bool) -> runs.Run:
    """The run with its files recorded beyond the first page, and its archive in S3."""
    digests: dict[str, str] = {}
    built = runs.Archive(detail="the archive could not be built; the files can be downloaded one by one")
    if archived:
        built, digests = _archive(run, collected)
    found = [replace(file, sha256=digests.get(file.name)) for file in collected.files]
    stored_runs.save_further_files(run.id, found)
    first = tuple(found[: stored_runs.FILES_IN_A_PAGE])
    return replace(run, files=first, file_count=len(found), archive=built)


def _archive(run: runs.Run, collected: outputs.Collected) -> tuple[runs.Archive, dict[str, str]]:
    most = settings.number("ARCHIVE_BYTES", 20_000_000_000)
    total = sum(file.size for file in collected.files)
    if total > most:
        return runs.Archive(detail=f"the files have {total} bytes, more than the {most} that are archived"), {}
    members = [(file.name, files.run(run.id, f"files/{file.path}"), file.size) for file in collected.files]
    manifest = {
        "run": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "arguments": list(run.arguments),
    }
    try:
        info = archive.build(aws.client("s3"), files.bucket(), members, files.run(run.id, "archive.tar.gz"), manifest)
    except ValueError as error:
        return runs.Archive(detail=f"the files cannot be unpacked side by side: {error}"), {}
    return runs.Archive(size=info.size), {file.name: file.sha256 for file in info.files}


def _measure(run: runs.Run) -> rankings.Measure:
    """Read the run's results by the schema of any board; a file is fetched once."""
    content: dict[str, bytes | None] = {}

    def measure(board: str) -> tuple[results.ResultSchema, rankings.Measurement]:
        schema = results.parse(workflows.version(run.workflow, board).template["results"])
        if schema.file not in content:
            content[schema.file] = files.read(files.run(run.id, f"files/{schema.file}"), results.LARGEST_FILE + 1)
        return schema, results.extract(schema, content[schema.file], documents.plain_yaml)

    return measure

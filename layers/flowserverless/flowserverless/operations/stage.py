"""Stages a step: signs exactly the URLs that this step of this run needs, and writes its step order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from flowserverless import settings
from flowserverless.domain import errors, ids, limits, paths, plans, run_directory, runs, versions
from flowserverless.operations import batch_jobs, post_process, run_directories
from flowserverless.store import batch_reads, bucket, run_items, version_items

# Time for a cold start and for delivering files, beyond what a step itself may take.
SPARE_SECONDS = 900
BATCH_DAYS = 14
# No URL lives longer than the credentials that signed it; a job asks for new ones when it begins and when it ends.
SIGNED_SECONDS = 6 * 3600
# The runner takes less of what a function returned; what is written beside the value is short.
MAX_RESULT_BYTES = 5 << 20


def step(event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Record what became of the step before, and put step `event["step"]` RUNNING.

    Answers its manifest's signed URL, or the order for its job in AWS Batch. Raises Conflict when the run has ended;
    the execution then ends too.
    """
    run, version = _fetch(event)
    runs.require_active(run)
    index, outcome = int(event["step"]), batch_jobs.outcome(run, event.get("outcome"))
    if outcome and index:
        run = runs.end_step(run, index - 1, outcome)
    if run.post_processing and index == 0:
        run = replace(run, ranking_version=post_process.take_snapshot(run, version))
    run = runs.begin_step(run, index, now)
    if not run_items.save_progress(run):
        raise errors.Conflict(f"run {run.id} has ended", errors.RUN_IS_FINAL)
    planned = plans.of_run(run, version.template)
    step = planned[index]
    seconds = _seconds(run, step, now)
    if step.executor == "batch":
        return {"job": batch_jobs.order(run, step, seconds + SPARE_SECONDS)}
    manifest = _manifest(run, version, step, seconds)
    manifest |= _handed(run.id, planned, index, seconds) | _set_by(run, step, now)
    return {"manifestUrl": _write(manifest, seconds)}


def job(run_id: str, job: str, now: datetime) -> str:
    """A signed URL of a new manifest for a job of AWS Batch. Raises NotFound, and Conflict when the run has ended."""
    index = batch_jobs.require(run_id, job)
    run = run_items.get(run_id)
    runs.require_active(run)
    version = version_items.get(run.workflow, run.version)
    planned = plans.of_run(run, version.template)
    step = planned[index]
    seconds = min(_seconds(run, step, now), SIGNED_SECONDS)
    manifest = _manifest(run, version, step, seconds)
    manifest |= _handed(run.id, planned, index, seconds) | _set_by(run, step, now)
    return _write(manifest | batch_jobs.addition(run.id, index, seconds), seconds)


def _write(manifest: Mapping[str, Any], seconds: int) -> str:
    key = bucket.step_order(manifest["run"], manifest["step"])
    bucket.write_json(key, manifest)
    return bucket.link(key, seconds=seconds + SPARE_SECONDS)


def _fetch(event: Mapping[str, Any]) -> tuple[runs.Run, versions.Version]:
    """The run and the version that it was started with, in one read."""
    run, version = run_items.wanted(ids.run_id(event["run"])), version_items.wanted(event["workflow"], event["version"])
    both = batch_reads.together(run, version)
    found, published = both.get(run), both.get(version)
    if found is None or published is None:
        raise runs.unknown(event["run"])
    return found, published


def _seconds(run: runs.Run, step: plans.Step, now: datetime) -> int:
    return max(1, min(_times(run, step, now))[0])


def _times(run: runs.Run, step: plans.Step, now: datetime) -> list[tuple[int, str]]:
    """How long a step may take at most, as the run, the installation and the organiser have it, and who says so."""
    whole = int(run.allowed.total_seconds())
    times = [(int((run.deadline - now).total_seconds()), limits.of_run(whole, run.config.get("timeoutSeconds")))]
    if step.executor == "lambda":
        times.append((settings.current().step_seconds, limits.parameter(limits.OF_STEPS["seconds"])))
    else:
        times.append((BATCH_DAYS * 86400, limits.FIXED))
    if step.resources and step.resources.timeout_seconds:
        times.append((step.resources.timeout_seconds, limits.RESOURCES))
    return times


def _set_by(run: runs.Run, step: plans.Step, now: datetime) -> dict[str, Any]:
    """Who sets each limit, so that a step that reaches one can say so."""
    return {"setBy": limits.set_by(step.executor, min(_times(run, step, now))[1])}


def _digests(run: runs.Run) -> dict[str, str | None]:
    """The SHA-256 of each upload that the run was started with, by its S3 key: the runner compares what it fetches."""
    return {bucket.upload(run.group or "", file): known.sha256 for file, known in run.uploads.items()}


def _inputs(
    step: plans.Step, begun: run_directory.Directory, digests: Mapping[str, str | None], seconds: int
) -> Iterable[dict[str, Any]]:
    for path, file in sorted(begun.files.items()):
        wanted = step.inputs is None or any(paths.matches(one, path) for one in step.inputs)
        if not paths.reserved(path) and (wanted or path == step.notebook):
            yield {
                "path": path,
                "url": bucket.link(file.key, seconds=seconds),
                "size": file.size,
                # A ranked run of an older version may lack a file that post-processing asks for now.
                "optional": file.key.startswith(bucket.RUNS) and path.startswith("runs/"),
                "sha256": digests.get(file.key),
                "executable": file.executable,
                "modified": file.modified,
            }


def _folders(step: plans.Step, begun: run_directory.Directory) -> list[str]:
    """The folders that a step is given though none of its inputs lies in them."""
    wanted = step.inputs
    return sorted(
        folder for folder in begun.folders if wanted is None or any(paths.leads_to(one, folder) for one in wanted)
    )


def _manifest(run: runs.Run, version: versions.Version, step: plans.Step, seconds: int) -> dict[str, Any]:
    prefix, log = bucket.result(run.id), bucket.log(run.id, step.index)
    tree = bucket.tree(run.id, step.index)
    valid = seconds + SPARE_SECONDS
    most, of_a_file = _output_bytes(step)
    known = settings.current()
    begun = run_directories.begun(run, version, step.index)
    return {
        "run": run.id,
        "step": step.index,
        "name": step.name,
        "kind": step.kind,
        "commands": list(step.commands),
        "variables": dict(step.variables),
        "values": dict(step.values),
        "code": _code(step) if step.kind == "code" else None,
        "notebook": _notebook(step) if step.kind == "notebook" else None,
        "inputs": list(_inputs(step, begun, _digests(run), valid)),
        "folders": _folders(step, begun),
        "outputs": None if step.outputs is None else list(step.outputs),
        "always": list(step.beyond),
        "upload": {**bucket.form(prefix, valid, most), "prefix": prefix},
        "tree": {**bucket.form(tree, valid, run_directory.MAX_BYTES), "key": tree},
        "log": {**bucket.form(log, valid, known.log_bytes * 2), "key": log},
        "cancelUrl": bucket.link(bucket.cancel_mark(run.id), seconds=valid),
        "limits": {
            "seconds": seconds,
            "memoryBytes": known.step_memory_mb << 20,
            "outputBytes": most,
            "fileBytes": of_a_file,
            "logBytes": known.log_bytes,
            "processes": known.step_processes,
            "openFiles": known.step_open_files,
            "cpuSeconds": known.step_cpu_seconds,
        },
    }


def _output_bytes(step: plans.Step) -> tuple[int, int]:
    """How many bytes a step may deliver: altogether, and in one file."""
    known = settings.current()
    if step.executor == "batch":
        return known.job_output_bytes, known.job_output_bytes
    return known.output_bytes, known.file_bytes


def _handed(run_id: str, planned: Sequence[plans.Step], index: int, seconds: int) -> dict[str, Any]:
    """What functions hand on: where the results of earlier ones are, and the form for that of this one.

    Only the plan says who hands on what. The form is for the one key of this step, so no step can write the result
    of another, and whatever else lies in the bucket is never looked at.
    """
    valid = seconds + SPARE_SECONDS
    earlier = [
        {"name": name, "url": bucket.link(bucket.returned(run_id, number), seconds=valid)}
        for name, number in plans.results_before(planned, index).items()
    ]
    step = planned[index]
    if step.kind != "code" or not step.arg:
        return {"earlier": earlier}
    key = bucket.returned(run_id, index)
    return {"earlier": earlier, "result": {**bucket.form(key, valid, MAX_RESULT_BYTES), "key": key}}


def _code(step: plans.Step) -> dict[str, Any]:
    return {"func": step.func, "arg": step.arg, "variables": dict(step.argument_names)}


def _notebook(step: plans.Step) -> dict[str, Any]:
    return {"notebook": step.notebook, "output": step.notebook_output, **_parameters(step)}


def _parameters(step: plans.Step) -> dict[str, Any]:
    return {"params": list(step.notebook_params), "variables": dict(step.notebook_params)}

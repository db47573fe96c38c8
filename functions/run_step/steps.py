"""One step from beginning to end: fetch the inputs, run it in the cage, deliver its outputs, say how it went."""

import dataclasses
import functools
import json
import math
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import cage
import context
import kernels
import logbook
import manifests
import outputs
import paths
import program
import results
import transfer
import verdicts
import watching


def fetch_manifest(url: str) -> manifests.Manifest:
    """The manifest at a signed URL. Raises transfer.Refused if there is none to be had."""
    return manifests.parse(transfer.document(url))


def perform(manifest: manifests.Manifest, seconds: float = math.inf) -> verdicts.Result:
    """Execute a step within `seconds` from now, or less if the step's own limit is lower."""
    started_at, deadline = verdicts.now(), time.monotonic() + seconds
    log = logbook.Logbook(manifest.limits.log_bytes)
    with cage.Cage(_packages(manifest)) as room, watching.Watch(manifest, log) as watch:
        outcome = execute(manifest, room, log, watch.canceled, deadline)
    transfer.hang_up()
    if watch.canceled.is_set():
        canceled = f"step {manifest.name!r} was stopped because its run was canceled"
        outcome = verdicts.Outcome(outcome.exit_code, verdicts.Reason("CANCELED", canceled))
    return verdicts.result(outcome, started_at, log)


def execute(
    manifest: manifests.Manifest,
    room: cage.Cage,
    log: logbook.Logbook,
    canceled: threading.Event,
    deadline: float,
) -> verdicts.Outcome:
    """Fetch, run and deliver, as far as it gets; `deadline` is a moment of the monotonic clock."""
    outcome = verdicts.Outcome()
    try:
        digests = fetch_inputs(manifest, room.directory, canceled)
        if canceled.is_set():
            return outcome
        earlier = results.fetch(manifest)
        commands, variables = prepare(manifest, room, earlier), context.variables(manifest, earlier)
        if manifest.kind == "notebook":
            variables |= kernels.variables(room.home)
        room.hand_over()
        before = outputs.stamps(room.directory, digests)
        seconds = min(manifest.limits.seconds, max(1.0, deadline - time.monotonic()))
        report = room.run(commands, variables, manifest.limits, seconds, log.add, canceled)
        outcome = verdicts.Outcome(report.status, verdicts.judge(manifest, seconds, report))
        # The files of a canceled run may be on their way to deletion: nothing new is put there.
        if not canceled.is_set():
            harvest = collect(manifest, room.directory, before)
            reason = verdicts.judge_size(manifest, harvest, outcome.reason)
            outcome = verdicts.Outcome(report.status, reason, harvest)
            deliver(manifest, harvest, canceled)
            outcome = hand_on(manifest, room.home, outcome)
    except transfer.Refused as refusal:
        return outcome.refused(manifest.name, refusal)
    except cage.Broken as problem:
        how = "was not started" if isinstance(problem, cage.OutOfReach) else "could not be watched to its end"
        detail = f"step {manifest.name!r} {how}: {problem}"
        return verdicts.Outcome(reason=verdicts.Reason("SYSTEM_ERROR", detail))
    return outcome


def fetch_inputs(manifest: manifests.Manifest, directory: str, stop: threading.Event) -> dict[str, bytes]:
    """Fetch the inputs into the run directory, and nothing more once `stop` is set; the SHA-256 of each by its path.

    Raises transfer.Refused for the first that cannot be had; optional ones may be missing.
    """
    digests: dict[str, bytes] = {}

    def fetch(entry: manifests.Input) -> None:
        try:
            path = paths.normalise(entry.path)
            target = os.path.join(directory, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            digests[path] = transfer.download(entry.url, target, entry.size, entry.sha256)
            outputs.describe(target, entry)
        except transfer.Refused as refusal:
            if not (entry.optional and refusal.is_missing):
                raise _not_had(entry, refusal) from None
        except (OSError, ValueError) as error:
            raise transfer.Refused(f"input {entry.path!r} could not be stored: {transfer.plain(error)}") from None

    outputs.make_directories(directory, (f"{folder}/" for folder in manifest.folders))
    transfer.in_parallel(fetch, manifest.inputs, stop)
    return digests


def _not_had(entry: manifests.Input, refusal: transfer.Refused) -> transfer.Refused:
    """Why an input is not there; of an upload, whose bytes are known, in words for those who uploaded it."""
    if entry.sha256 and isinstance(refusal, transfer.Changed):
        problem = f"input {entry.path!r} is not the file that was uploaded: it has {refusal}"
        return transfer.Changed(f"{problem}; upload it again and start another run")
    if entry.sha256 and refusal.status == transfer.NOT_FOUND:
        return transfer.Deleted(f"input {entry.path!r} is an upload that was deleted meanwhile")
    return transfer.Refused(f"input {entry.path!r} could not be fetched: {refusal}", refusal.status)


def prepare(manifest: manifests.Manifest, room: cage.Cage, earlier: Mapping[str, Any]) -> list[list[str]]:
    """The commands of a step as programs with arguments; functions and notebooks are run by a program of ours."""
    outputs.make_directories(room.directory, (*(manifest.outputs or ()), *manifest.always))
    if manifest.kind == "container":
        return [["/bin/sh", "-c", command] for command in manifest.commands]
    order = os.path.join(room.home, "order.json")
    with open(order, "w", encoding="utf-8") as file:
        json.dump(
            {
                "kind": manifest.kind,
                "values": {**manifest.variables, **manifest.values, **earlier},
                "code": manifest.code,
                "notebook": manifest.notebook,
                "result": results.path(room.home) if manifest.result else None,
            },
            file,
        )
    # A notebook's files may have the names of modules (`code/` is one): -P keeps the run directory out of the way.
    return [[cage.interpreter(), *(["-P"] if manifest.kind == "notebook" else []), "-c", _program(), order]]


def collect(manifest: manifests.Manifest, directory: str, before: Mapping[str, outputs.Stamp]) -> outputs.Harvest:
    """What the step made and is to be delivered."""
    return outputs.harvest(directory, before, manifest)


def deliver(manifest: manifests.Manifest, harvest: outputs.Harvest, stop: threading.Event) -> None:
    """Upload files, then what the step did to the directory: whoever reads that finds the files that it names.

    Raises transfer.Refused with the name of the first that was refused.
    """

    def post(file: outputs.Output) -> None:
        try:
            transfer.post_file(manifest.upload, manifest.upload.key + file.path, file.source)
        except transfer.Refused as refusal:
            problem = f"output {file.path!r} could not be delivered: {refusal}"
            raise transfer.Refused(problem, refusal.status, refusal.code) from None
        except OSError as error:
            raise transfer.Refused(f"output {file.path!r} could not be read: {transfer.plain(error)}") from None

    transfer.in_parallel(post, harvest.files, stop)
    if manifest.tree and not stop.is_set():
        content = json.dumps(harvest.tree()).encode()
        transfer.post_bytes(manifest.tree, manifest.tree.key, content, "application/json")


def hand_on(manifest: manifests.Manifest, home: str, outcome: verdicts.Outcome) -> verdicts.Outcome:
    """Hand on what the function of a step returned that succeeded; one that returned nothing usable has failed."""
    if manifest.result is None or outcome.reason:
        return outcome
    try:
        results.hand_on(manifest, results.take(home))
    except results.Unusable as problem:
        detail = f"step {manifest.name!r}: what its function returned {problem}"
        return dataclasses.replace(outcome, reason=verdicts.Reason("STEP_FAILED", detail))
    return outcome


def _packages(manifest: manifests.Manifest) -> str | None:
    return kernels.packages() if manifest.kind == "notebook" else None


@functools.cache
def _program() -> str:
    with open(program.__file__, encoding="utf-8") as file:
        return file.read()

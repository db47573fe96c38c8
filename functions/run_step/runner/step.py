"""Performs one step: fetches its inputs, runs it in the sandbox, delivers its outputs, says how it went."""

import dataclasses
import functools
import json
import math
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from runner import (
    log,
    manifest,
    monitor,
    notebooks,
    outcome,
    outputs,
    paths,
    return_values,
    sandbox,
    transfer,
    user_code,
    variables,
)


def fetch_order(url: str) -> manifest.StepOrder:
    """The step order at a presigned URL. Raises transfer.Refused if there is none to be had."""
    return manifest.parse(transfer.document(url))


def perform(order: manifest.StepOrder, seconds: float = math.inf) -> outcome.Result:
    """Execute a step within `seconds` from now, or less if the step's own limit is lower."""
    started_at, deadline = outcome.now(), time.monotonic() + seconds
    step_log = log.StepLog(order.limits.log_bytes)
    with sandbox.Sandbox(_packages(order)) as box, monitor.Monitor(order, step_log) as watch:
        ended = execute(order, box, step_log, watch.canceled, deadline)
    transfer.hang_up()
    if watch.canceled.is_set():
        canceled = f"step {order.name!r} was stopped because its run was canceled"
        ended = outcome.Outcome(ended.exit_code, outcome.Reason("CANCELED", canceled))
    return outcome.result(ended, started_at, step_log)


def execute(
    order: manifest.StepOrder,
    box: sandbox.Sandbox,
    step_log: log.StepLog,
    canceled: threading.Event,
    deadline: float,
) -> outcome.Outcome:
    """Fetch, run and deliver, as far as it gets; `deadline` is a moment of the monotonic clock."""
    so_far = outcome.Outcome()
    try:
        digests = fetch_inputs(order, box.directory, canceled)
        if canceled.is_set():
            return so_far
        earlier = return_values.fetch(order)
        commands, environment = prepare(order, box, earlier), variables.of(order, earlier)
        if order.kind == "notebook":
            environment |= notebooks.variables(box.home)
        box.hand_over()
        before = outputs.stamps(box.directory, digests)
        seconds = min(order.limits.seconds, max(1.0, deadline - time.monotonic()))
        report = box.run(commands, environment, order.limits, seconds, step_log.add, canceled)
        so_far = outcome.Outcome(report.status, outcome.judge(order, seconds, report))
        # The files of a canceled run may be on their way to deletion: nothing new is put there.
        if not canceled.is_set():
            harvest = collect(order, box.directory, before)
            reason = outcome.judge_size(order, harvest, so_far.reason)
            so_far = outcome.Outcome(report.status, reason, harvest)
            deliver(order, harvest, canceled)
            so_far = hand_on(order, box.home, so_far)
    except transfer.Refused as refusal:
        return so_far.refused(order.name, refusal)
    except sandbox.Broken as problem:
        how = "was not started" if isinstance(problem, sandbox.OutOfReach) else "could not be watched to its end"
        detail = f"step {order.name!r} {how}: {problem}"
        return outcome.Outcome(reason=outcome.Reason("SYSTEM_ERROR", detail))
    return so_far


def fetch_inputs(order: manifest.StepOrder, directory: str, stop: threading.Event) -> dict[str, bytes]:
    """Fetch the inputs into the run directory, and nothing more once `stop` is set; the SHA-256 of each by its path.

    Raises transfer.Refused for the first that cannot be had; optional ones may be missing.
    """
    digests: dict[str, bytes] = {}
    outputs.make_directories(directory, (f"{folder}/" for folder in order.folders))
    transfer.in_parallel(functools.partial(_fetch_input, directory, digests), order.inputs, stop)
    return digests


def _fetch_input(directory: str, digests: dict[str, bytes], entry: manifest.Input) -> None:
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


def _not_had(entry: manifest.Input, refusal: transfer.Refused) -> transfer.Refused:
    """Why an input is not there; of an upload, whose bytes are known, in words for those who uploaded it."""
    if entry.sha256 and isinstance(refusal, transfer.Changed):
        problem = f"input {entry.path!r} is not the file that was uploaded: it has {refusal}"
        return transfer.Changed(f"{problem}; upload it again and start another run")
    if entry.sha256 and refusal.status == transfer.NOT_FOUND:
        return transfer.Deleted(f"input {entry.path!r} is an upload that was deleted meanwhile")
    return transfer.Refused(f"input {entry.path!r} could not be fetched: {refusal}", refusal.status)


def prepare(order: manifest.StepOrder, box: sandbox.Sandbox, earlier: Mapping[str, Any]) -> list[list[str]]:
    """The commands of a step as programs with arguments; functions and notebooks are run by a program of ours."""
    outputs.make_directories(box.directory, (*(order.outputs or ()), *order.always))
    if order.kind == "container":
        return [["/bin/sh", "-c", command] for command in order.commands]
    call = os.path.join(box.home, "order.json")
    with open(call, "w", encoding="utf-8") as file:
        json.dump(
            {
                "kind": order.kind,
                "values": {**order.variables, **order.values, **earlier},
                "code": order.code,
                "notebook": order.notebook,
                "result": return_values.path(box.home) if order.result else None,
            },
            file,
        )
    # A notebook's files may have the names of modules (`code/` is one): -P keeps the run directory out of the way.
    return [[sandbox.interpreter(), *(["-P"] if order.kind == "notebook" else []), "-c", _program(), call]]


def collect(order: manifest.StepOrder, directory: str, before: Mapping[str, outputs.Stamp]) -> outputs.Harvest:
    """What the step made and is to be delivered."""
    return outputs.harvest(directory, before, order)


def deliver(order: manifest.StepOrder, harvest: outputs.Harvest, stop: threading.Event) -> None:
    """Upload files, then what the step did to the directory: a reader of that finds the files that it names.

    Raises transfer.Refused with the name of the first that was refused.
    """

    def post(file: outputs.Output) -> None:
        try:
            transfer.post_file(order.upload, order.upload.key + file.path, file.source)
        except transfer.Refused as refusal:
            problem = f"output {file.path!r} could not be delivered: {refusal}"
            raise transfer.Refused(problem, refusal.status, refusal.code) from None
        except OSError as error:
            raise transfer.Refused(f"output {file.path!r} could not be read: {transfer.plain(error)}") from None

    transfer.in_parallel(post, harvest.files, stop)
    if order.tree and not stop.is_set():
        content = json.dumps(harvest.tree()).encode()
        transfer.post_bytes(order.tree, order.tree.key, content, "application/json")


def hand_on(order: manifest.StepOrder, home: str, so_far: outcome.Outcome) -> outcome.Outcome:
    """Hand on what the function of a step returned that succeeded; one that returned nothing usable has failed."""
    if order.result is None or so_far.reason:
        return so_far
    try:
        return_values.hand_on(order, return_values.take(home))
    except return_values.Unusable as problem:
        detail = f"step {order.name!r}: what its function returned {problem}"
        return dataclasses.replace(so_far, reason=outcome.Reason("STEP_FAILED", detail))
    return so_far


def _packages(order: manifest.StepOrder) -> str | None:
    return notebooks.packages() if order.kind == "notebook" else None


@functools.cache
def _program() -> str:
    with open(user_code.__file__, encoding="utf-8") as file:
        return file.read()

"""One step from beginning to end: fetch the inputs, run it in the cage, deliver what it made, say how it went."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cage
import logbook
import manifests
import outputs
import paths
import program
import transfer
import warden

CANCEL_SECONDS = 1.5
LOG_SECONDS = 3.0
CONTEXT_BYTES = 16 * 1024 * 1024
# Linux passes no variable of more than 128 KiB to a program, and about 2 MiB of them together.
VARIABLE_BYTES = 120_000
VARIABLES_BYTES = 1_000_000
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LOG_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Reason:
    """Why a step has no success to report: a stable word and a sentence."""

    code: str
    detail: str


@dataclass(frozen=True)
class Outcome:
    """How far a step got: how its commands ended, why that is no success, what there is to deliver."""

    exit_code: int | None = None
    reason: Reason | None = None
    harvest: outputs.Harvest = field(default_factory=outputs.Harvest)

    def refused(self, step: str, refusal: transfer.Refused) -> Outcome:
        """The same with files that could not be transferred; a step that has failed by itself keeps its reason."""
        code = "OUTPUT_TOO_LARGE" if refusal.too_large else "SYSTEM_ERROR"
        notes = (*self.harvest.notes, str(refusal))
        return Outcome(
            self.exit_code, self.reason or Reason(code, f"{step}: {refusal}"), outputs.Harvest(notes=notes)
        )


@dataclass(frozen=True)
class Result:
    """How a step went; `files` and `size` count what was delivered."""

    exit_code: int | None
    reason: Reason | None
    started_at: str
    finished_at: str
    messages: tuple[str, ...]
    files: int
    size: int

    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            "exitCode": self.exit_code,
            "reason": dataclasses.asdict(self.reason) if self.reason else None,
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "messages": list(self.messages),
            "files": self.files,
            "bytes": self.size,
        }


def fetch_manifest(url: str) -> manifests.Manifest:
    """The manifest at a signed URL. Raises transfer.Refused if there is none to be had."""
    return manifests.parse(transfer.document(url))


def not_started(detail: str) -> dict[str, Any]:
    """The answer for a step about which nothing is known."""
    moment = now()
    return Result(None, Reason("SYSTEM_ERROR", detail), moment, moment, (), 0, 0).document()


def now() -> str:
    """The moment as an ISO 8601 timestamp in UTC with six fraction digits."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def perform(manifest: manifests.Manifest, seconds: float = math.inf) -> Result:
    """Execute a step within `seconds` from now, or less if the step's own limit is lower."""
    started_at, deadline = now(), time.monotonic() + seconds
    log = logbook.Logbook(manifest.limits.log_bytes)
    canceled = threading.Event()
    with cage.Cage() as room, watched(manifest, log, canceled):
        outcome = execute(manifest, room, log, canceled, deadline)
    transfer.hang_up()
    if canceled.is_set():
        reason = Reason("CANCELED", f"step {manifest.name!r} was stopped because its run was canceled")
        outcome = Outcome(outcome.exit_code, reason)
    return result(outcome, started_at, log)


def execute(
    manifest: manifests.Manifest,
    room: cage.Cage,
    log: logbook.Logbook,
    canceled: threading.Event,
    deadline: float,
) -> Outcome:
    """Fetch, run and deliver, as far as it gets; `deadline` is a moment of the monotonic clock."""
    step = f"step {manifest.name!r}"
    outcome = Outcome()
    try:
        digests = fetch_inputs(manifest, room.directory, canceled)
        if canceled.is_set():
            return outcome
        commands, variables = prepare(manifest, room), environment(manifest, room.directory)
        room.hand_over()
        before = {
            path: outputs.stamp(os.path.join(room.directory, path), digest)
            for path, digest in digests.items()
        }
        seconds = min(manifest.limits.seconds, max(1.0, deadline - time.monotonic()))
        limits = dataclasses.replace(manifest.limits, seconds=seconds)
        report = room.run(commands, variables, limits, log.add, canceled)
        outcome = Outcome(report.status, judge(manifest, limits, report))
        # The files of a canceled run may be on their way to deletion: nothing new is put there.
        if not canceled.is_set():
            harvest = collect(manifest, room.directory, before)
            outcome = Outcome(report.status, reason_for_size(manifest, harvest, outcome.reason), harvest)
            deliver(manifest, harvest.files, canceled)
    except transfer.Refused as refusal:
        return outcome.refused(step, refusal)
    except cage.Broken as problem:
        return Outcome(reason=Reason("SYSTEM_ERROR", f"{step} could not be watched to its end: {problem}"))
    return outcome


def result(outcome: Outcome, started_at: str, log: logbook.Logbook) -> Result:
    """The result of a step that ends now."""
    files, notes = outcome.harvest.files, outcome.harvest.notes
    messages = [*log.messages(), *(["\n".join(notes)[: logbook.TAIL_CHARACTERS]] if notes else [])]
    size = sum(file.size for file in files)
    return Result(outcome.exit_code, outcome.reason, started_at, now(), tuple(messages), len(files), size)


@contextmanager
def watched(manifest: manifests.Manifest, log: logbook.Logbook, canceled: threading.Event) -> Iterator[None]:
    """Meanwhile set `canceled` when the run is, and upload the log while it grows, at the end in any case."""
    done = threading.Event()
    uploaded = 0

    def look() -> None:
        if manifest.cancel_url and transfer.exists(manifest.cancel_url, CANCEL_SECONDS):
            canceled.set()

    def upload() -> None:
        nonlocal uploaded
        size = log.size()
        if size != uploaded:
            transfer.post_bytes(manifest.log, manifest.log.key, log.content(), LOG_TYPE)
            uploaded = size

    def repeat(action: Callable[[], None], seconds: float) -> None:
        while not done.wait(seconds) and not canceled.is_set():
            try:
                action()
            except transfer.Refused as refusal:
                print(
                    f"{action.__name__} of step {manifest.step} of {manifest.run}: {refusal}", file=sys.stderr
                )

    threads = [
        threading.Thread(target=repeat, args=(look, CANCEL_SECONDS), daemon=True),
        threading.Thread(target=repeat, args=(upload, LOG_SECONDS), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
        try:
            upload()
        except transfer.Refused as refusal:
            print(f"log of step {manifest.step} of {manifest.run}: {refusal}", file=sys.stderr)


def fetch_inputs(manifest: manifests.Manifest, directory: str, stop: threading.Event) -> dict[str, bytes]:
    """Fetch all inputs into the run directory; the SHA-256 of each by its path there."""
    digests: dict[str, bytes] = {}

    def fetch(entry: manifests.Input) -> None:
        try:
            path = paths.normalise(entry.path)
            target = os.path.join(directory, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            digests[path] = transfer.download(entry.url, target, entry.size)
        except transfer.Refused as refusal:
            raise transfer.Refused(
                f"input {entry.path!r} could not be fetched: {refusal}", refusal.status
            ) from None
        except (OSError, ValueError) as error:
            raise transfer.Refused(f"input {entry.path!r} could not be stored: {error}") from None

    transfer.in_parallel(fetch, manifest.inputs, stop)
    return digests


def prepare(manifest: manifests.Manifest, room: cage.Cage) -> list[list[str]]:
    """The commands of a step as programs with arguments; code and notebooks are given to a program of ours."""
    outputs.make_directories(room.directory, (*(manifest.outputs or ()), *manifest.always))
    if manifest.kind == "container":
        return [["/bin/sh", "-c", command] for command in manifest.commands]
    order = os.path.join(room.home, "order.json")
    with open(order, "w", encoding="utf-8") as file:
        json.dump(
            {
                "kind": manifest.kind,
                "values": {**manifest.variables, **manifest.values},
                "context": manifests.CONTEXT_FILE,
                "code": manifest.code,
                "notebook": manifest.notebook,
            },
            file,
        )
    return [[sys.executable, "-c", source(), order]]


@functools.cache
def source() -> str:
    """The text of the program for code and notebook steps."""
    with open(program.__file__, encoding="utf-8") as file:
        return file.read()


def environment(manifest: manifests.Manifest, directory: str) -> dict[str, str]:
    """The variables of a step: those of the workflow, and the results of earlier code steps, which win."""
    return {**manifest.variables, **earlier_results(os.path.join(directory, manifests.CONTEXT_FILE))}


def earlier_results(path: str) -> Mapping[str, str]:
    """What earlier code steps returned, as text; a step may have put anything there, so nothing is believed."""
    try:
        if os.path.getsize(path) > CONTEXT_BYTES:
            return {}
        with open(path, encoding="utf-8") as file:
            context = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(context, dict):
        return {}
    found: dict[str, str] = {}
    room = VARIABLES_BYTES
    for name, value in context.items():
        text = as_text(value)
        size = len(text.encode("utf-8", "replace"))
        # What does not fit into an environment still reaches code steps, which read the file.
        if IDENTIFIER.fullmatch(name) and size <= min(VARIABLE_BYTES, room) and is_plain(text):
            found[name] = text
            room -= size
    return found


def is_plain(text: str) -> bool:
    """Whether a text can be the value of a variable."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def as_text(value: Any) -> str:
    """A value as a variable of a command: text and numbers as they are, True and False, everything else as JSON."""
    return value if isinstance(value, str) else str(value) if isinstance(value, bool) else json.dumps(value)


def judge(manifest: manifests.Manifest, limits: manifests.Limits, report: warden.Report) -> Reason | None:
    """Why a step failed; None if it did not."""
    step = f"step {manifest.name!r}"
    command = f"{step}: command {report.command} of {max(1, len(manifest.commands))}"
    if not report.clean:
        return Reason("SYSTEM_ERROR", f"{step}: not all of its processes could be ended")
    match report.stopped:
        case "time":
            return Reason("TIMEOUT", f"{step} took longer than {limits.seconds:g} seconds")
        case "memory":
            return Reason("OUT_OF_MEMORY", f"{step} used more than {limits.memory_bytes >> 20} MiB of memory")
        case "processes":
            return Reason("STEP_FAILED", f"{step} had more than {limits.processes} processes")
        case "disk":
            return Reason("OUTPUT_TOO_LARGE", f"{step} wrote more than {limits.output_bytes} bytes")
        case "start":
            return Reason("STEP_FAILED", f"{command} could not be started: {report.detail}")
        case "asked":
            return Reason("CANCELED", f"{step} was stopped")
    match report.status:
        case 0 | None:
            return None
        case status if status == 128 + signal.SIGXCPU:
            return Reason("TIMEOUT", f"{command} used more than {limits.cpu_seconds} seconds of CPU time")
        case status if status == 128 + signal.SIGXFSZ:
            return Reason(
                "OUTPUT_TOO_LARGE", f"{command} wrote a file of more than {limits.file_bytes} bytes"
            )
        case status if status == 128 + signal.SIGKILL and report.starved:
            return Reason("OUT_OF_MEMORY", f"{command} was ended because memory ran out")
        case status:
            return Reason("STEP_FAILED", f"{command} exited with code {status}")


def collect(
    manifest: manifests.Manifest, directory: str, before: Mapping[str, outputs.Stamp]
) -> outputs.Harvest:
    """What the step made and is to be delivered."""
    return outputs.harvest(
        directory, before, manifest.outputs, manifest.always, manifest.upload.key, manifest.limits
    )


def reason_for_size(
    manifest: manifests.Manifest, harvest: outputs.Harvest, reason: Reason | None
) -> Reason | None:
    """The reason of a step once its files are known: a command that fails at a limit does not always say so."""
    if reason is not None and reason.code != "STEP_FAILED":
        return reason
    if harvest.excess:
        return Reason("OUTPUT_TOO_LARGE", f"step {manifest.name!r}: {harvest.excess}")
    if reason is not None and harvest.largest >= manifest.limits.file_bytes:
        size = manifest.limits.file_bytes
        return Reason(
            "OUTPUT_TOO_LARGE", f"{reason.detail} after a file had reached the limit of {size} bytes"
        )
    return reason


def deliver(manifest: manifests.Manifest, files: tuple[outputs.Output, ...], stop: threading.Event) -> None:
    """Upload files. Raises transfer.Refused with the name of the first that was refused."""

    def post(file: outputs.Output) -> None:
        try:
            transfer.post_file(manifest.upload, manifest.upload.key + file.path, file.source)
        except transfer.Refused as refusal:
            raise transfer.Refused(
                f"output {file.path!r} could not be delivered: {refusal}", refusal.status, refusal.code
            ) from None

    transfer.in_parallel(post, files, stop)

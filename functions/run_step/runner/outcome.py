"""Says how a step went, and why it did not succeed, in the words that the state machine and people read."""

import dataclasses
import datetime
import signal
from typing import Any, Self

from runner import log, manifest, outputs, supervisor, transfer


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a step has no success to report: a stable word and a sentence."""

    code: str
    detail: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How far a step got: how its commands ended, why that is no success, what there is to deliver."""

    exit_code: int | None = None
    reason: Reason | None = None
    harvest: outputs.Harvest = dataclasses.field(default_factory=outputs.Harvest)

    def refused(self, step: str, refusal: transfer.Refused) -> Self:
        """The same with files that could not be transferred; a step that failed by itself keeps its reason."""
        return dataclasses.replace(
            self,
            reason=self.reason or Reason(refusal.reason, f"step {step!r}: {refusal}"),
            harvest=outputs.Harvest(notes=(*self.harvest.notes, str(refusal))),
        )


@dataclasses.dataclass(frozen=True)
class Result:
    """How a step went; `files` and `size` (bytes) count what was delivered."""

    exit_code: int | None
    reason: Reason | None
    started_at: str
    finished_at: str
    messages: tuple[str, ...] = ()
    files: int = 0
    size: int = 0

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


def now() -> str:
    """The moment as an ISO 8601 timestamp in UTC with six fraction digits."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def not_started(detail: str) -> Result:
    """The result of a step about which nothing is known."""
    moment = now()
    return Result(None, Reason("SYSTEM_ERROR", detail), moment, moment)


def result(outcome: Outcome, started_at: str, step_log: log.StepLog) -> Result:
    """The result of a step that ends now."""
    files, notes = outcome.harvest.files, "\n".join(outcome.harvest.notes)
    return Result(
        outcome.exit_code,
        outcome.reason,
        started_at,
        now(),
        (*step_log.messages(), *([notes[: log.TAIL_CHARACTERS]] if notes else [])),
        len(files),
        sum(file.size for file in files),
    )


def judge(order: manifest.StepOrder, seconds: float, report: supervisor.Report) -> Reason | None:
    """Why a step failed that had so many seconds; None if it did not."""
    step = f"step {order.name!r}"
    command = f"{step}: command {report.command} of {max(1, len(order.commands))}"
    limits = order.limits
    if not report.clean:
        return Reason("SYSTEM_ERROR", f"{step}: not all of its processes could be ended")
    if report.stopped:
        return {
            "asked": Reason("CANCELED", f"{step} was stopped"),
            "disk": Reason("OUTPUT_TOO_LARGE", f"{step} wrote more than {_output_bytes(limits)}"),
            "memory": Reason("OUT_OF_MEMORY", f"{step} used more than {_memory(limits)}"),
            "processes": Reason("STEP_FAILED", f"{step} had more than {_processes(limits)}"),
            "start": Reason("STEP_FAILED", f"{command} could not be started: {report.detail}"),
            "time": Reason("TIMEOUT", f"{step} took longer than {_seconds(limits, seconds)}"),
        }[report.stopped]
    by_signal: dict[int, Reason] = {
        signal.SIGXCPU: Reason("TIMEOUT", f"{command} took more than {_cpu_seconds(limits)}"),
        signal.SIGXFSZ: Reason("OUTPUT_TOO_LARGE", f"{command} wrote a file of {_file_bytes(limits)}"),
    }
    if report.starved:
        out = f"{command} was ended because memory ran out; a step has {_memory(limits)}"
        by_signal[signal.SIGKILL] = Reason("OUT_OF_MEMORY", out)
    status = report.status or 0
    return by_signal.get(status - 128) or failed(command, status, report.said, limits) if status else None


def failed(command: str, status: int, said: str, limits: manifest.Limits) -> Reason:
    """Why a step failed whose command says so itself: by its exit status, and by the last line that it wrote.

    A program that reaches a limit of the kernel's often says no more than that: the limit is told then.
    """
    detail, line = f"{command} exited with code {status}", log.last_line(said)
    if line is None:
        return Reason("STEP_FAILED", detail)
    told = next((f" (it may have {bound(limits)})" for sign, bound in SIGNS if sign in line), "")
    return Reason("STEP_FAILED", f"{detail}: {line}{told}")


def _seconds(limits: manifest.Limits, seconds: float) -> str:
    if seconds < limits.seconds:
        return f"{seconds:g} seconds: the function that runs steps had no more left, because inputs are fetched first"
    return f"{seconds:g} seconds{limits.why('seconds')}"


def _cpu_seconds(limits: manifest.Limits) -> str:
    return f"{limits.cpu_seconds} seconds of CPU time{limits.why('cpuSeconds')}"


def _output_bytes(limits: manifest.Limits) -> str:
    return f"{limits.output_bytes} bytes{limits.why('outputBytes')}"


def _file_bytes(limits: manifest.Limits) -> str:
    return f"{limits.file_bytes} bytes or more{limits.why('fileBytes')}"


def _memory(limits: manifest.Limits) -> str:
    return f"{limits.memory_bytes >> 20} MiB of memory{limits.why('memoryBytes')}"


def _processes(limits: manifest.Limits) -> str:
    return f"{limits.processes} processes{limits.why('processes')}"


def _open_files(limits: manifest.Limits) -> str:
    return f"{limits.open_files} open files in each process{limits.why('openFiles')}"


# What programs say when the kernel refuses them something for the sake of a limit.
SIGNS = (
    ("Too many open files", _open_files),
    ("fork: ", _processes),
    ("Cannot fork", _processes),
    ("can't start new thread", _processes),
    ("Resource temporarily unavailable", _processes),
    ("MemoryError", _memory),
    ("Cannot allocate memory", _memory),
)


def judge_size(order: manifest.StepOrder, harvest: outputs.Harvest, reason: Reason | None) -> Reason | None:
    """The reason once the files are known: a command that fails at a limit on size does not always say so."""
    if reason and reason.code != "STEP_FAILED":
        return reason
    if harvest.excess:
        return Reason("OUTPUT_TOO_LARGE", f"step {order.name!r}: {harvest.excess}")
    if reason and harvest.largest >= order.limits.file_bytes:
        return Reason("OUTPUT_TOO_LARGE", f"{reason.detail}; it had written a file of {_file_bytes(order.limits)}")
    return reason

"""A run: its states, its steps, why it ended as it did, and the files it left."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flowserverless.domain import errors, frozen, limits, moments


class State(StrEnum):
    """The states of flowServ; a run that reached one of the last three never changes state again."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    CANCELED = "CANCELED"


# An absolute path of at least two parts that is not the end of something else, such as a URL.
PLACE = re.compile(r"(?<![\w:/.-])/[\w.@+-]+/[^\s'\",;]*")
ACTIVE = (State.PENDING, State.RUNNING)


@frozen.dataclass
class Reason:
    """Why a run is not SUCCESS: a stable code for programs, a sentence for people."""

    code: str
    detail: str


@frozen.dataclass
class Step:
    """One step of a run, as far as it has come."""

    name: str
    state: State = State.PENDING
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    python: str | None = None

    @property
    def begun(self) -> bool:
        """Whether the step was staged, whatever it came to."""
        return self.state is not State.PENDING


@frozen.dataclass
class ResultFile:
    """A file that a run left; `name` is its key for people, `path` where the step wrote it."""

    id: str
    name: str
    path: str
    size: int
    media_type: str
    sha256: str | None = None
    title: str | None = None
    caption: str | None = None
    format: Any = None
    widget: Any = None


@frozen.dataclass
class Standing:
    """Where a run stands on one board: its rank key and its values as people are shown them, or why it has none.

    Values that take much room are not kept with the run: their line of the board has them.
    """

    key: str | None = None
    code: str | None = None
    detail: str | None = None
    results: Sequence[Mapping[str, Any]] | None = None


@frozen.dataclass
class Archive:
    """The archive of a run's files, or why there is none."""

    size: int | None = None
    detail: str | None = None


@frozen.dataclass
class TakenUpload:
    """An upload as it was when a run was started with it; its name is the only thing of it that people wrote."""

    size: int
    sha256: str | None = None
    name: str | None = None


@frozen.dataclass
class Run:
    """Everything that is known of a run; it keeps the declarations and the workflow version it was started with.

    `uploads` are the bytes that its arguments stand for, by file id.
    `file_names` are the names of those uploads, by id, whose places in the run directory were made of their names.
    """

    id: str
    workflow: str
    version: str
    state: State
    created_at: datetime
    deadline: datetime
    group: str | None = None
    started_by: str | None = None
    # Who is no member of the group need not be one when the results come.
    as_organiser: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    arguments: tuple[Mapping[str, Any], ...] = ()
    parameters: tuple[Mapping[str, Any], ...] = ()
    file_names: Mapping[str, str] = field(default_factory=dict)
    uploads: Mapping[str, TakenUpload] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    executors: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    files: tuple[ResultFile, ...] = ()
    file_count: int = 0
    messages: tuple[str, ...] = ()
    reason: Reason | None = None
    archive: Archive | None = None
    standings: Mapping[str, Standing] = field(default_factory=dict)
    ranking_version: int | None = None
    ingest_token: str | None = None

    @property
    def active(self) -> bool:
        """Whether the run may still change state."""
        return self.state in ACTIVE

    @property
    def allowed(self) -> timedelta:
        """How long the run may take, from its creation to its deadline."""
        return self.deadline - self.created_at

    @property
    def succeeded(self) -> bool:
        """Whether the run ended well."""
        return self.state is State.SUCCESS

    @property
    def external(self) -> bool:
        """Whether an external engine executes the run."""
        return self.executors == ("external",)

    @property
    def post_processing(self) -> bool:
        """Whether the run is over the ranked runs of its workflow, and no group's."""
        return self.group is None


def unknown(run_id: str) -> errors.NotFound:
    """What is told of a run that is not there."""
    return errors.NotFound(f"unknown run '{run_id}'")


def require_active(run: Run) -> None:
    """Raise Conflict when the run has ended."""
    if not run.active:
        raise errors.Conflict(f"run {run.id} is {run.state} already", errors.RUN_IS_FINAL)


def require_final(run: Run) -> None:
    """Raise Conflict while the run may still change."""
    if run.active:
        raise errors.Conflict(f"run {run.id} is {run.state}; cancel it first", errors.RUN_IS_ACTIVE)


def begin_step(run: Run, index: int, now: datetime) -> Run:
    """The run with step `index` RUNNING; saying so twice changes nothing."""
    steps = list(run.steps)
    if steps[index].state is State.PENDING:
        steps[index] = replace(steps[index], state=State.RUNNING, started_at=now)
    return replace(run, state=State.RUNNING, started_at=run.started_at or now, steps=tuple(steps))


def end_step(run: Run, index: int, outcome: Mapping[str, Any]) -> Run:
    """The run with what the executor said of step `index`: its times, exit code and Python, and how it ended."""
    steps = list(run.steps)
    reason = outcome.get("reason")
    state = State.SUCCESS if not reason else State.CANCELED if reason["code"] == "CANCELED" else State.ERROR
    steps[index] = replace(
        steps[index],
        state=state,
        started_at=_moment(outcome.get("startedAt")) or steps[index].started_at,
        finished_at=_moment(outcome.get("finishedAt")),
        exit_code=outcome.get("exitCode"),
        python=outcome.get("python"),
    )
    return replace(run, steps=tuple(steps))


def _moment(written: object) -> datetime | None:
    """What an executor says of the time; a job can write anything there."""
    try:
        return moments.read(str(written)) if written else None
    except ValueError:
        return None


def end(run: Run, state: State, now: datetime, reason: Reason | None = None, messages: tuple[str, ...] = ()) -> Run:
    """The run in its final state. A step that was still going ends with it; one never begun stays PENDING.

    A run that ends before it began has startedAt = finishedAt, as in flowServ (PENDING -> SUCCESS: createdAt).
    """
    steps = tuple(
        replace(step, state=state, finished_at=now) if step.state is State.RUNNING else step for step in run.steps
    )
    begun = run.started_at or (run.created_at if state is State.SUCCESS else now)
    return replace(run, state=state, started_at=begun, finished_at=now, reason=reason, messages=messages, steps=steps)


def canceled(run: Run, now: datetime, reason: str | None) -> Run:
    """The run as its user canceled it."""
    text = reason or "canceled at user request"
    return end(run, State.CANCELED, now, Reason("CANCELED", text), (text,))


def failure_reason(error: str, cause: str) -> Reason:
    """Read what a service said of a step that brought no answer.

    Lambda tells a timeout and a killed process only in words; Batch and Step Functions by the error's name.
    """
    text = f"{error} {cause}"
    if "OutOfMemory" in text or "signal: killed" in text:
        size = f"more memory than the function that runs it has: {limits.parameter('StepMemory')}"
        return Reason("OUT_OF_MEMORY", f"the step needed {size}")
    if "Timeout" in error or "Task timed out" in cause or "Sandbox.Timedout" in text:
        most = "the 15 minutes that Lambda gives to the function that runs it"
        return Reason("TIMEOUT", f"the step ran longer than {most}: {limits.FIXED}")
    return Reason("SYSTEM_ERROR", f"the step could not be executed: {error}: {_told(cause)}"[:1000])


def _told(cause: str) -> str:
    """What a service said, for those whose run it is: without a function's stack and places in its machine."""
    try:
        found = json.loads(cause)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and "errorMessage" in found:
        cause = str(found["errorMessage"])
    return PLACE.sub("...", cause)

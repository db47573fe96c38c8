"""What an external engine delivers: files in the inbox of a run, and last a marker that says how the run went.

The inbox is written by strangers, so a delivery is judged as a whole before anything of it is used.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from flowserverless.domain import frozen, limits, paths

SUCCESS = "_SUCCESS"
ERROR = "_ERROR"
MARKERS = (SUCCESS, ERROR)
# The messages of a run stand as JSON in its item of the table, with much else.
MAX_MESSAGE_LENGTH = 2000
MESSAGE_BYTES = 40_000
# So many faults are named; more say nothing new.
MAX_FAULTS = 20


@frozen.dataclass
class Marker:
    """The object that ends a delivery: `_SUCCESS` or `_ERROR`, directly in the inbox of a run."""

    run: str
    name: str


@frozen.dataclass
class Told:
    """What a marker says beside its name: metrics of a success, messages of a failure, or what is wrong with it."""

    metrics: Mapping[str, object] | None = None
    messages: tuple[str, ...] = ()
    note: str | None = None


@frozen.dataclass
class File:
    """A delivered file; `etag` changes whenever somebody writes it again."""

    path: str
    size: int
    etag: str


@frozen.dataclass
class Judged:
    """The files of a delivery that may become a run's files, and what is wrong with the others or with all."""

    files: tuple[File, ...]
    faults: tuple[str, ...]


def marker(run_id: str, path: str) -> Marker | None:
    """The marker at a path in an inbox; None for others, such as the `part/_SUCCESS` that Hadoop leaves in folders."""
    return Marker(run_id, path) if path in MARKERS else None


def is_note(path: str) -> bool:
    """Whether a path in an inbox is a marker and not a result; the S3 console's folders are none either."""
    return path in MARKERS or path == "" or path.endswith("/")


def told(name: str, body: bytes) -> Told:
    """Read a marker. `_SUCCESS` may hold `{"metrics": {...}}`, `_ERROR` `{"messages": [...]}` or plain text.

    Engines write markers of their own form (Hadoop's are JSON, too), so what is not understood is not refused.
    """
    text = body.decode("utf-8", "replace").lstrip("\ufeff").strip()
    try:
        document = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        document = None
    said = document if isinstance(document, Mapping) else {}
    if name == ERROR:
        listed = said.get("messages")
        messages = listed if isinstance(listed, list) else [listed or text]
        return Told(messages=tuple(_messages(messages)))
    metrics = said.get("metrics")
    if isinstance(metrics, Mapping):
        return Told(metrics)
    if document is None:
        return Told(note="the marker is not JSON")
    return Told(note="the marker's metrics are not an object" if metrics is not None else None)


def _messages(listed: Sequence[object]) -> Iterator[str]:
    room = MESSAGE_BYTES
    for number, each in enumerate(listed):
        # JSON texts can hold halves of characters, which nothing can store.
        text = str(each).strip()[:MAX_MESSAGE_LENGTH].encode("utf-8", "replace").decode()
        room -= len(json.dumps(text))
        if room < 0:
            yield f"... and {len(listed) - number} more messages"
            return
        if text:
            yield text


def judge(delivered: Iterable[File], most_files: int, most_bytes: int) -> Judged:
    """Which of the objects in an inbox may become files of the run, and everything that is wrong with them."""
    found = sorted((file for file in delivered if not is_note(file.path)), key=lambda file: file.path)
    names = {file.path for file in found}
    problems = {file.path: _problem(file.path, names) for file in found}
    faults = [f"{path[:200]!r}: {problem}" for path, problem in problems.items() if problem]
    if len(faults) > MAX_FAULTS:
        faults[MAX_FAULTS:] = [f"... and {len(faults) - MAX_FAULTS} more files"]
    files = tuple(file for file in found if not problems[file.path])
    total = sum(file.size for file in files)
    if len(files) > most_files:
        return Judged(
            (),
            (f"there are {len(files)} files; a run may have {most_files}: {limits.parameter('IngestFiles')}", *faults),
        )
    if total > most_bytes:
        return Judged(
            (),
            (f"the files have {total} bytes; a run may have {most_bytes}: {limits.parameter('IngestBytes')}", *faults),
        )
    return Judged(files, tuple(faults))


def _problem(path: str, names: set[str]) -> str | None:
    try:
        normal = paths.placeable(path)
    except ValueError as error:
        return str(error)
    if normal != path:
        return f"should be written {normal!r}"
    parents = [path[:index] for index, letter in enumerate(path) if letter == "/"]
    return next((f"{parent!r} is a file, too" for parent in parents if parent in names), None)

"""Begins and ends a step that runs in a container of its own image, beside the user's container.

    python run_step fetch <manifest-url> <directory>     before the step, in a container of this image
    /bin/sh <directory>/step.sh                          the step, in a container of the user's image
    python run_step deliver <manifest-url> <directory>   after the step, in a container of this image

The three containers share <directory> and nothing else. The script keeps the output of the commands in
<directory>/log and their exit status in <directory>/status. `deliver` uploads the result of the step, prints it, keeps
it in <directory>/result.json, and exits with the status of the step, so that the platform learns it.
Time, memory and processes are bounded by the platform of the containers; what is delivered is bounded here.

Whatever is in the directory when `deliver` begins may have been changed by the step: nothing of it is believed, and
no link is followed out of the run directory.
"""

import contextlib
import errno
import json
import os
import re
import shlex
import stat
import sys
import threading
from collections.abc import Mapping
from typing import IO

from runner import log, manifest, monitor, outcome, outputs, pythonpath, return_values, step, transfer, variables

CHUNK = 1 << 20
MAX_NOTE_BYTES = 64 << 20


def fetch(order: manifest.StepOrder, directory: str) -> int:
    """Put the inputs into `<directory>/run`, and the script that runs the commands beside it.

    Raises transfer.Refused for what cannot be had. The step never starts then, so that is how it went.
    """
    try:
        return _prepare(order, directory)
    except transfer.Refused as refusal:
        ended = outcome.Outcome().refused(order.name, refusal)
        with contextlib.suppress(transfer.Refused):
            _tell(order, json.dumps(outcome.result(ended, outcome.now(), log.StepLog(0)).document()))
        raise


def _prepare(order: manifest.StepOrder, directory: str) -> int:
    room, home = os.path.join(directory, "run"), os.path.join(directory, "home")
    for path in (room, home):
        os.makedirs(path, exist_ok=True)
    digests = step.fetch_inputs(order, room, threading.Event())
    outputs.make_directories(room, (*(order.outputs or ()), *order.always))
    for path in (room, home):
        _open_to_all(path)
    pythonpath.copy(pythonpath.FLOWSERV, os.path.join(directory, "library"))
    before = {path: stamp.document() for path, stamp in outputs.stamps(room, digests).items()}
    _write(directory, "before.json", json.dumps(before))
    _write(directory, "started", outcome.now())
    # The volume itself belongs to root, and the user's image may run as anybody, whatever this process masks.
    text = script(order.commands, variables.of(order, return_values.fetch(order)), directory)
    for name, content, mode in (("log", "", 0o666), ("status", "", 0o666), ("step.sh", text, 0o644)):
        _write(directory, name, content)
        os.chmod(os.path.join(directory, name), mode)
    return 0


def script(commands: tuple[str, ...], variables: Mapping[str, str], directory: str) -> str:
    """A POSIX shell script that runs the commands until one fails; variables are quoted, never expanded.

    They are set where a command starts and nowhere else, so none can have the name of a variable of the script.
    """
    names = ("run", "home", "log", "status", "library")
    room, home, log, status, imported = (shlex.quote(os.path.join(directory, name)) for name in names)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    calls = [
        f"[ $status -eq 0 ] && {{ number={number}; start {shlex.quote(command)}; status=$?; }}"
        for number, command in enumerate(commands, 1)
    ]
    lines = [
        "start() (",
        *exports,
        f"export HOME={home} TMPDIR={home}",
        'python="${python:-python3}"; export python',
        # What the image brings along comes first. Whoever has a number only is given a name.
        f'export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}"{imported}',
        '[ -n "${USER:-}" ] || USER=$(id -un 2> /dev/null) || USER=step',
        'export USER LOGNAME="${LOGNAME:-$USER}"',
        'exec /bin/sh -c "$1"',
        ")",
        "{",
        f"cd {room} || exit 125",
        "status=0",
        *calls,
        f'echo "$status $number" > {status}',
        f"}} > {log} 2>&1",
        "exit $status",
    ]
    return "\n".join(lines) + "\n"


def deliver(order: manifest.StepOrder, directory: str) -> int:
    """Upload the outputs and the log; the exit status of the step, 1 if it has none or its files were refused."""
    step_log = _log(directory, order.limits.log_bytes)
    code, number = _status(directory)
    name, room = f"step {order.name!r}", os.path.join(directory, "run")
    ended = outcome.Outcome(code, outcome.Reason("STEP_FAILED", f"{name}: its container ended too early"))
    if code is not None:
        command = f"{name}: command {number} of {len(order.commands)}"
        said = "\n".join(step_log.messages())
        ended = outcome.Outcome(code, outcome.failed(command, code, said, order.limits) if code else None)
    try:
        if os.path.islink(room):
            raise transfer.Refused("the run directory was replaced")
        harvest = step.collect(order, room, _before(directory))
        ended = outcome.Outcome(code, outcome.judge_size(order, harvest, ended.reason), harvest)
        step.deliver(order, harvest, threading.Event())
        transfer.post_bytes(order.log, order.log.key, step_log.content(), monitor.LOG_TYPE)
    except transfer.Refused as refusal:
        ended = ended.refused(order.name, refusal)
    except OSError as error:
        unreadable = transfer.Refused(f"the run directory cannot be read: {error.strerror}")
        ended = ended.refused(order.name, unreadable)
    text = json.dumps(outcome.result(ended, _started(directory), step_log).document())
    _tell(order, text)
    print(text)
    # A step may have put something else there, which is its own loss.
    with contextlib.suppress(OSError):
        _write(directory, "result.json", text)
    return code or (1 if ended.reason else 0)


def _tell(order: manifest.StepOrder, text: str) -> None:
    """Keep how the step went where the trusted side looks for it: AWS Batch hands on nothing but a number."""
    if order.outcome:
        transfer.post_bytes(order.outcome, order.outcome.key, text.encode(), "application/json")


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    actions = {"fetch": fetch, "deliver": deliver}
    if len(arguments) != 3 or arguments[0] not in actions:
        print("usage: python run_step fetch|deliver <manifest-url> <directory>", file=sys.stderr)
        return 2
    try:
        return actions[arguments[0]](step.fetch_order(arguments[1]), os.path.abspath(arguments[2]))
    except transfer.Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    finally:
        transfer.hang_up()


def _open_to_all(directory: str) -> None:
    """Let anybody change a directory and what is in it: the user's image may run as any user."""
    os.chmod(directory, 0o777)  # noqa: S103
    for parent, directories, files in os.walk(directory):
        for name in directories:
            os.chmod(os.path.join(parent, name), 0o777)  # noqa: S103
        for name in files:
            place = os.path.join(parent, name)
            os.chmod(place, 0o777 if os.lstat(place).st_mode & stat.S_IXUSR else 0o666)


def _status(directory: str) -> tuple[int | None, int]:
    """What the script noted down: the exit status, if it got that far, and the number of the last command."""
    found = re.fullmatch(r"(\d{1,3}) (\d{0,3})\n", _read(directory, "status"))
    return (int(found[1]), int(found[2] or 0)) if found else (None, 0)


def _started(directory: str) -> str:
    found = re.fullmatch(r"[-\d]{10}T[:.\d]{15}\+00:00", _read(directory, "started"))
    return found[0] if found else outcome.now()


def _before(directory: str) -> dict[str, outputs.Stamp]:
    try:
        found = json.loads(_read(directory, "before.json"))
        return {path: outputs.Stamp.of(stamp) for path, stamp in found.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _log(directory: str, limit: int) -> log.StepLog:
    step_log = log.StepLog(limit)
    try:
        with _open(directory, "log", os.O_RDONLY) as file:
            # A file can be made to seem endless at no cost. What is kept, or told as messages, is in its two ends.
            ends = max(limit, CHUNK)
            between = os.fstat(file.fileno()).st_size - 2 * ends
            if between > 0:
                step_log.add("stdout", file.read(ends))
                step_log.leave_out(between)
                file.seek(between, os.SEEK_CUR)
            while chunk := file.read(CHUNK):
                step_log.add("stdout", chunk)
    except OSError as error:
        step_log.add("stderr", f"the log of the container cannot be read: {error.strerror}\n".encode())
    return step_log


def _read(directory: str, name: str) -> str:
    """A note that may have been changed by the step; empty if it cannot be read."""
    try:
        with _open(directory, name, os.O_RDONLY) as file:
            return file.read(MAX_NOTE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _write(directory: str, name: str, content: str) -> None:
    with _open(directory, name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
        file.write(content.encode())


def _open(directory: str, name: str, flags: int) -> IO[bytes]:
    place = os.open(os.path.join(directory, name), flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    # A device would never end.
    if not stat.S_ISREG(os.fstat(place).st_mode):
        os.close(place)
        raise OSError(errno.EINVAL, "it is no file")
    return open(place, "wb" if flags & os.O_WRONLY else "rb")

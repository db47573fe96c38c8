"""The two ends of a step that runs in a container of its own image, beside the user's container.

    python run_step fetch <manifest-url> <directory>     before the step, in a container of this image
    /bin/sh <directory>/step.sh                          the step, in a container of the user's image
    python run_step deliver <manifest-url> <directory>   after the step, in a container of this image

The three containers share <directory> and nothing else. The script keeps the output of the commands in
<directory>/log and their exit status in <directory>/status; `deliver` writes the result of the step to <directory>/result.json, prints
it, and exits with the status of the step, so that whoever started the containers learns it. Time, memory and
processes are bounded by the container platform; what is delivered is bounded here.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Mapping

import logbook
import manifests
import outputs
import steps
import transfer

CHUNK = 1 << 20


def fetch(manifest: manifests.Manifest, directory: str) -> int:
    """Put the inputs into `<directory>/run`, and the script that runs the commands beside it."""
    room = os.path.join(directory, "run")
    home = os.path.join(directory, "home")
    for path in (room, home):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)  # the user's image may run as anybody
    digests = steps.fetch_inputs(manifest, room, threading.Event())
    outputs.make_directories(room, (*(manifest.outputs or ()), *manifest.always))
    for parent, directories, files in os.walk(room):
        for name in directories:
            os.chmod(os.path.join(parent, name), 0o777)
        for name in files:
            os.chmod(os.path.join(parent, name), 0o666)
    before = {path: outputs.stamp(os.path.join(room, path), digest) for path, digest in digests.items()}
    _write(directory, "before.json", json.dumps({path: stamp.document() for path, stamp in before.items()}))
    _write(directory, "started", steps.now())
    _write(directory, "step.sh", script(manifest.commands, steps.environment(manifest, room), directory))
    return 0


def script(commands: tuple[str, ...], variables: Mapping[str, str], directory: str) -> str:
    """A POSIX shell script that runs the commands until one fails; variables are quoted, never expanded."""
    home = shlex.quote(os.path.join(directory, "home"))
    lines = [
        f"cd {shlex.quote(os.path.join(directory, 'run'))} || exit 125",
        *(
            f"export {name}={shlex.quote(value)}"
            for name, value in sorted(variables.items())
            if _is_name(name)
        ),
        f"export HOME={home} TMPDIR={home}",
        'python="${python:-python3}"; export python',
        "status=0",
    ]
    for number, command in enumerate(commands, 1):
        lines.append(
            f"[ $status -eq 0 ] && {{ number={number}; /bin/sh -c {shlex.quote(command)}; status=$?; }}"
        )
    body = "\n".join(lines)
    log, status = (shlex.quote(os.path.join(directory, name)) for name in ("log", "status"))
    return f'{{\n{body}\necho "$status $number" > {status}\n}} > {log} 2>&1\nexit "$(cut -d " " -f 1 {status})"\n'


def deliver(manifest: manifests.Manifest, directory: str) -> int:
    """Upload the outputs and the log; the exit status of the step, 1 if it has none or its files were refused."""
    log = logbook.Logbook(manifest.limits.log_bytes)
    _read_log(os.path.join(directory, "log"), log)
    code, number = _status(directory)
    step = f"step {manifest.name!r}"
    reason: steps.Reason | None = None
    if code is None:
        reason = steps.Reason("STEP_FAILED", f"{step}: its container ended before its commands did")
    elif code:
        detail = f"{step}: command {number} of {len(manifest.commands)} exited with code {code}"
        reason = steps.Reason("STEP_FAILED", detail)
    before = {
        path: outputs.Stamp.of(stamp) for path, stamp in json.loads(_read(directory, "before.json")).items()
    }
    harvest = steps.collect(manifest, os.path.join(directory, "run"), before)
    outcome = steps.Outcome(code, steps.reason_for_size(manifest, harvest, reason), harvest)
    try:
        steps.deliver(manifest, harvest.files, threading.Event())
        transfer.post_bytes(manifest.log, manifest.log.key, log.content(), steps.LOG_TYPE)
    except transfer.Refused as refusal:
        outcome = outcome.refused(step, refusal)
    text = json.dumps(steps.result(outcome, _read(directory, "started"), log).document())
    _write(directory, "result.json", text)
    print(text)
    return code or (1 if outcome.reason else 0)


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    if len(arguments) != 3 or arguments[0] not in ("fetch", "deliver"):
        print("usage: python run_step fetch|deliver <manifest-url> <directory>", file=sys.stderr)
        return 2
    action = fetch if arguments[0] == "fetch" else deliver
    try:
        return action(steps.fetch_manifest(arguments[1]), os.path.abspath(arguments[2]))
    except transfer.Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1


def _status(directory: str) -> tuple[int | None, int]:
    """What the script noted down: the exit status, if it got that far, and the number of the last command."""
    try:
        found = re.fullmatch(r"(\d{1,3}) (\d*)\n", _read(directory, "status"))
    except OSError:
        return None, 0
    return (int(found[1]), int(found[2] or 0)) if found else (None, 0)


def _read_log(path: str, log: logbook.Logbook) -> None:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            while chunk := file.read(CHUNK):
                log.add("stdout", chunk)
    except OSError:
        return


def _is_name(name: str) -> bool:
    return steps.IDENTIFIER.fullmatch(name) is not None


def _write(directory: str, name: str, content: str) -> None:
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(content)


def _read(directory: str, name: str) -> str:
    with open(os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8") as file:
        return file.read(CHUNK * 64)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

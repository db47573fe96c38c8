"""Runs the commands of one step in directories of their own, as a user without privileges, and leaves nothing behind.

What holds everywhere: a fresh run directory and home, an environment that is written from nothing, no open file of
the function, a session of its own, resource limits, no way to gain privileges, system calls that are refused (see
`seccomp.py`), and a supervisor (see `supervisor.py`) that bounds time, memory, processes and disk and ends everything
that the step started. The function hides its memory and its environment from processes of the same user:
`/proc/<parent>/environ` does not show the function's credentials to a step.

The user a step runs as depends on ours:

- In AWS Lambda it has the user of the function. It could kill the function (then the run fails), but not read it,
  and everything it left in the temporary directories is removed.
- As root, on a developer's machine, it becomes a user of its own that owns nothing else, has no capability and stays
  in namespaces (see `namespaces.py`). Two variables of the function say what that user has to reach: STEP_PYTHON is
  an interpreter outside of root's own folders, and STEP_CLOSED names the folders that no step shall see. Without an
  interpreter within its reach no step is started. It never stays root, because the kernel does not bound how many
  processes root has.
- As an ordinary user elsewhere it can do to that user's files and other processes what any program of that user
  can, files it leaves outside its own directories stay, and it reaches the network.

So strangers' steps are for Lambda, or for a machine whose stack root has started.
"""

import contextlib
import json
import os
import pathlib
import re
import secrets
import select
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from runner import cleanup, manifest, privileges, procfs, pythonpath, supervisor

GRACE_SECONDS = 10.0
CHUNK = 1 << 20
FIRST_USER = 0x70000000
USERS = 1 << 28
NOBODY = 65534
# Packages for steps come as a layer, which Lambda unpacks here.
LAYER = "/opt/python"
FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Where the number of a user has no name, programs that ask for one find it in two variables.
NAME = "step"


class Broken(Exception):
    """The sandbox itself failed; nothing can be said about the step."""


class OutOfReach(Broken):
    """The user that a step has to become could not reach something that every step needs."""


class Sandbox:
    """A run directory for one step and what belongs to it; a context manager that leaves nothing behind.

    `packages` is a folder that this step imports from, before the layer that all steps have.
    """

    def __init__(self, packages: str | None = None) -> None:
        privileges.hide()
        self._base = os.path.realpath(tempfile.mkdtemp(prefix="step-"))
        # Every user may pass, and only we may list; the directories inside belong to the step alone.
        os.chmod(self._base, 0o711)  # noqa: S103
        self._user = step_user()
        self._imported = [
            self._within_reach(folder)
            for folder in (packages, LAYER, pythonpath.FLOWSERV)
            if folder and os.path.isdir(folder)
        ]
        self._sweep = cleanup.Sweep(self._user)
        self.directory, self.home = self._make("run"), self._make("home")
        self._identity = _identity(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(FileNotFoundError):
            cleanup.wipe(self._base)
        self._sweep.remove()

    def hand_over(self) -> None:
        """Give everything in the directories to the user of the step."""
        user = self._user
        if user is None:
            return
        for place in (self.directory, self.home):
            os.chown(place, user, user)
            for parent, directories, files in os.walk(place):
                for name in (*directories, *files):
                    os.chown(os.path.join(parent, name), user, user, follow_symlinks=False)

    def run(
        self,
        commands: Sequence[Sequence[str]],
        variables: Mapping[str, str],
        limits: manifest.Limits,
        seconds: float,
        on_output: Callable[[str, bytes], None],
        stop: threading.Event,
    ) -> supervisor.Report:
        """Run commands one after the other until one fails, `stop` is set or a limit is reached.

        `on_output` is called with "stdout" or "stderr" and some bytes whenever the step has written something. When
        this returns, no process of the step is alive. Raises Broken if the supervisor was killed or got stuck, or if
        the run directory is not where it was, and OutOfReach before anything was started.
        """
        self._require_reach()
        spec = supervisor.Spec(
            commands=commands,
            environment={**variables, **self._environment()},
            base=self._base,
            directories=(self.directory, self.home),
            places=self._sweep.places,
            needed=(*_installations(interpreter()), *self._imported),
            closed=closed(),
            user=self._user,
            seconds=seconds,
            memory_bytes=limits.memory_bytes,
            disk_bytes=limits.output_bytes,
            file_bytes=limits.file_bytes,
            processes=limits.processes,
            open_files=limits.open_files,
            cpu_seconds=limits.cpu_seconds,
        )
        spare = {process.pid for process in procfs.descendants(os.getpid())}
        privileges.adopt_orphans()
        try:
            report = _supervise(spec, on_output, stop)
        finally:
            # Only a step that killed its supervisor has left anything here.
            ended = procfs.end_descendants(os.getpid(), spare)
            privileges.adopt_orphans(False)
        # A step with our user could have put a link in the place of its directory, and we would deliver from there.
        if _identity(self.directory) != self._identity:
            raise Broken("its run directory was replaced")
        return report._replace(clean=report.clean and ended)

    def _make(self, name: str) -> str:
        path = os.path.join(self._base, name)
        os.mkdir(path, stat.S_IRWXU)
        return path

    def _within_reach(self, folder: str) -> str:
        """A folder to import from, or a copy of it where the step's user could not reach it."""
        if self._user is None or _is_reachable(folder, closed()):
            return folder
        return pythonpath.copy(folder, os.path.join(self._base, os.path.basename(folder)))

    def _require_reach(self) -> None:
        if self._user is None:
            return
        for needed in (self._base, interpreter()):
            if not _is_reachable(needed, closed()):
                raise OutOfReach(
                    f"its user has no way to {needed}; STEP_PYTHON and TMPDIR name places that it can reach"
                )

    def _environment(self) -> dict[str, str]:
        """The variables that every step has; the author of a template cannot change them."""
        found = {
            "PATH": f"{os.path.dirname(interpreter())}:/usr/local/bin:/usr/bin:/bin",
            "HOME": self.home,
            "USER": NAME,
            "LOGNAME": NAME,
            "TMPDIR": self.home,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "python": interpreter(),
            "PYTHONPATH": os.pathsep.join(self._imported),
        }
        return found | _libraries()


def interpreter() -> str:
    """The Python of the steps: the function's own, unless that is out of their reach."""
    return os.environ.get("STEP_PYTHON") or sys.executable


def _installations(program: str) -> list[str]:
    """The folders that an interpreter and what it is a link to belong to, as `sys.prefix` and `sys.base_prefix` do."""
    return [os.path.dirname(os.path.dirname(path)) for path in (os.path.abspath(program), os.path.realpath(program))]


def closed() -> list[str]:
    """The folders that no step of a user of its own shall see."""
    return [os.path.realpath(folder) for folder in os.environ.get("STEP_CLOSED", "").split(os.pathsep) if folder]


def step_user() -> int | None:
    """The user that a step becomes; None stays the user that we are."""
    if os.geteuid() != 0:
        return None
    # One for each step: users of the same number could kill each other, and would share a limit on processes.
    candidates = (FIRST_USER + secrets.randbelow(USERS), NOBODY)
    # Where there are no other users, root is an ordinary user of the system around.
    return next((user for user in candidates if _exists("uid", user) and _exists("gid", user)), None)


def _supervise(
    spec: supervisor.Spec, on_output: Callable[[str, bytes], None], stop: threading.Event
) -> supervisor.Report:
    content = json.dumps(spec._asdict()).encode()
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            # -s and -S: nothing that a step may have left in a place for packages is imported.
            [sys.executable, "-E", "-s", "-S", "-B", "-m", supervisor.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=_libraries(),
            # Where -m finds this package.
            cwd=FOLDER,
            start_new_session=True,
            # What a supervisor that has ended did not take is not sent once more when its pipe is closed.
            bufsize=0,
        ) as process,
    ):
        try:
            _tell(process, supervisor.SIZE.pack(len(content)) + content)
            report = _listen(process, time.monotonic() + spec.seconds + GRACE_SECONDS, on_output, stop)
        finally:
            process.kill()
        if report is None:
            complaints.seek(max(0, os.fstat(complaints.fileno()).st_size - 2000))
            raise Broken(_last_words(complaints.read().decode("utf-8", "replace").strip()))
    return report


def _last_words(complaint: str) -> str:
    """What the supervisor ended with, without paths of this machine; our own log has all of it."""
    if not complaint:
        return "its supervisor was killed"
    print(complaint, file=sys.stderr)
    return re.sub(r"(?<![\w.])/[^\s'\"]+", "...", complaint.splitlines()[-1])


def _listen(
    process: subprocess.Popen[bytes],
    deadline: float,
    on_output: Callable[[str, bytes], None],
    stop: threading.Event,
) -> supervisor.Report | None:
    received = bytearray()
    output = process.stdout.fileno() if process.stdout else -1
    asked = False
    while time.monotonic() < deadline:
        if stop.is_set() and not asked:
            asked = True
            _tell(process, b"!")
            deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
        if not select.select([output], [], [], 0.1)[0]:
            continue
        chunk = os.read(output, CHUNK)
        if not chunk:
            break
        received += chunk
        for kind, content in _frames(received):
            if kind == b"r":
                return supervisor.Report(**json.loads(content))
            on_output("stdout" if kind == b"o" else "stderr", content)
    return None


def _frames(received: bytearray) -> list[tuple[bytes, bytes]]:
    """Take the complete frames off what was received."""
    frames, start = [], 0
    while len(received) >= start + supervisor.HEADER.size:
        kind, size = supervisor.HEADER.unpack_from(received, start)
        end = start + supervisor.HEADER.size + size
        if len(received) < end:
            break
        frames.append((kind, bytes(received[start + supervisor.HEADER.size : end])))
        start = end
    del received[:start]
    return frames


def _tell(process: subprocess.Popen[bytes], content: bytes) -> None:
    left = memoryview(content)
    with contextlib.suppress(BrokenPipeError):
        while process.stdin and left:
            left = left[process.stdin.write(left) :]


def _identity(directory: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = os.stat(directory)
        return status.st_dev, status.st_ino
    return None


def _is_reachable(path: str, hidden: Sequence[str] = ()) -> bool:
    """Whether everybody may pass through a path and all that leads to it, and none of that is hidden."""
    ways = (pathlib.Path(os.path.abspath(path)), pathlib.Path(os.path.realpath(path)))
    passed = {place for way in ways for place in (way, *way.parents)}
    return all(place.stat().st_mode & stat.S_IXOTH and str(place) not in hidden for place in passed)


def _exists(kind: str, number: int) -> bool:
    """Whether a user or group number has a meaning in this user namespace."""
    try:
        with open(f"/proc/self/{kind}_map", encoding="ascii") as file:
            ranges = [tuple(map(int, line.split())) for line in file]
    except OSError:
        return True
    return any(first <= number < first + count for first, _, count in ranges)


def _libraries() -> dict[str, str]:
    """Lambda's interpreter does not find its own shared library without this."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}

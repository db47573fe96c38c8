"""The locked room in which one step runs: its directories, its user, its end.

What holds everywhere: a fresh run directory and home, an environment that is written from nothing, no open file of
the function, a session of its own, resource limits, no way to gain privileges, and a warden (see `warden.py`) that
bounds time, memory, processes and disk and leaves nothing alive. The function hides its memory and its environment
from processes of the same user: `/proc/<parent>/environ` does not show the function's credentials to a step.

Who a step is depends on who we are:

- In AWS Lambda it has the user of the function. It could kill the function (then the run fails), but not read it,
  and everything it left in the temporary directories is removed.
- As root, on a developer's machine, it becomes a user of its own that owns nothing else. If that user could not
  reach the interpreter, the temporary directory (below /root, say) or a notebook's packages, it gets the right to
  read any file (where root itself lacks that right: to use any file) and no other. It never stays root, because the
  kernel does not bound how many processes root has.
- As an ordinary user elsewhere it can do to that user's files and other processes what any program of that user
  can, and files it leaves outside its own directories stay.

So a developer's machine is for workflows that one would start by hand as well; strangers' run in Lambda.
"""

import contextlib
import json
import os
import select
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import leftovers
import manifests
import processes
import warden

GRACE_SECONDS = 10.0
CHUNK = 1 << 20
FIRST_USER = 0x70000000
NOBODY = 65534
# Packages for steps come as a layer, which Lambda unpacks here.
LAYER = "/opt/python"


class Broken(Exception):
    """The cage itself failed; nothing can be said about the step."""


@dataclass(frozen=True)
class Lodger:
    """Who a step becomes, see `processes.become`."""

    user: int | None
    keep: int | None = None


class Cage:
    """A run directory for one step and what belongs to it; a context manager that leaves nothing behind.

    `packages` is a folder that this step imports from, before the layer that all steps have.
    """

    def __init__(self, packages: str | None = None) -> None:
        processes.hide()
        self._packages = packages
        self._base = tempfile.mkdtemp(prefix="step-")
        # Everybody may pass, nobody may list; the directories inside belong to the step alone.
        os.chmod(self._base, 0o711)  # noqa: S103
        self._lodger = lodger(self._base, *([packages] if packages else []))
        self._sweep = leftovers.Sweep(self._lodger.user)
        self.directory, self.home = self._make("run"), self._make("home")
        self._identity = _identity(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(FileNotFoundError):
            leftovers.wipe(self._base)
        self._sweep.remove()

    def hand_over(self) -> None:
        """Give everything in the directories to the user of the step."""
        user = self._lodger.user
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
        limits: manifests.Limits,
        seconds: float,
        hear: Callable[[str, bytes], None],
        stop: threading.Event,
    ) -> warden.Report:
        """Run commands one after the other until one fails, `stop` is set or a limit is reached.

        `hear` is called with "stdout" or "stderr" and some bytes whenever the step has written something. When
        this returns, no process of the step is alive. Raises Broken if the warden was killed or got stuck, or if the
        run directory is not where it was.
        """
        order = warden.Order(
            commands=commands,
            environment={**variables, **self._environment()},
            base=self._base,
            directories=(self.directory, self.home),
            places=self._sweep.places,
            user=self._lodger.user,
            keep=self._lodger.keep,
            seconds=seconds,
            memory_bytes=limits.memory_bytes,
            disk_bytes=limits.output_bytes,
            file_bytes=limits.file_bytes,
            processes=limits.processes,
            open_files=limits.open_files,
            cpu_seconds=limits.cpu_seconds,
        )
        spare = {process.pid for process in processes.descendants(os.getpid())}
        processes.adopt_orphans()
        try:
            report = _supervise(order, hear, stop)
        finally:
            # Only a step that killed its warden has left anything here.
            ended = processes.end_descendants(os.getpid(), spare)
            processes.adopt_orphans(False)
        # A step with our user could have put a link in the place of its directory, and we would deliver from there.
        if _identity(self.directory) != self._identity:
            raise Broken("its run directory was replaced")
        return report._replace(clean=report.clean and ended)

    def _make(self, name: str) -> str:
        path = os.path.join(self._base, name)
        os.mkdir(path, stat.S_IRWXU)
        return path

    def _environment(self) -> dict[str, str]:
        """The variables that every step has; the author of a template cannot change them."""
        found = {
            "PATH": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin",
            "HOME": self.home,
            "TMPDIR": self.home,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "python": sys.executable,
        }
        imported = [folder for folder in (self._packages, LAYER) if folder and os.path.isdir(folder)]
        if imported:
            found["PYTHONPATH"] = os.pathsep.join(imported)
        return found | _libraries()


def lodger(base: str, *folders: str) -> Lodger:
    """Who a step becomes whose directories are in `base`, and who has to reach some folders as well."""
    if os.geteuid() != 0:
        return Lodger(None)
    # One for each process: users of the same number could kill each other, and would share a limit on processes.
    candidates = (FIRST_USER + os.getpid(), NOBODY)
    user = next((user for user in candidates if _exists("uid", user) and _exists("gid", user)), None)
    interpreter = shutil.which(sys.executable) or sys.executable
    # Where there are no other users, root is an ordinary user of the system around.
    if user is None or all(map(_is_reachable, (base, *folders, interpreter, os.path.realpath(interpreter)))):
        return Lodger(user)
    rights = (processes.CAP_DAC_READ_SEARCH, processes.CAP_DAC_OVERRIDE)
    return Lodger(user, next((right for right in rights if processes.holds(right)), None))


def _supervise(order: warden.Order, hear: Callable[[str, bytes], None], stop: threading.Event) -> warden.Report:
    content = json.dumps(order._asdict()).encode()
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            # -s and -S: nothing that a step may have left in a place for packages is imported.
            [sys.executable, "-E", "-s", "-S", "-B", os.path.abspath(warden.__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=_libraries(),
            cwd="/",
            start_new_session=True,
            # What a warden that has ended did not take is not sent once more when its pipe is closed.
            bufsize=0,
        ) as process,
    ):
        try:
            _tell(process, warden.SIZE.pack(len(content)) + content)
            report = _listen(process, time.monotonic() + order.seconds + GRACE_SECONDS, hear, stop)
        finally:
            process.kill()
        if report is None:
            complaints.seek(max(0, os.fstat(complaints.fileno()).st_size - 2000))
            raise Broken(complaints.read().decode("utf-8", "replace").strip() or "its warden was killed")
    return report


def _listen(
    process: subprocess.Popen[bytes],
    deadline: float,
    hear: Callable[[str, bytes], None],
    stop: threading.Event,
) -> warden.Report | None:
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
                return warden.Report(**json.loads(content))
            hear("stdout" if kind == b"o" else "stderr", content)
    return None


def _frames(received: bytearray) -> list[tuple[bytes, bytes]]:
    """Take the complete frames off what was received."""
    frames, start = [], 0
    while len(received) >= start + warden.HEADER.size:
        kind, size = warden.HEADER.unpack_from(received, start)
        end = start + warden.HEADER.size + size
        if len(received) < end:
            break
        frames.append((kind, bytes(received[start + warden.HEADER.size : end])))
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


def _is_reachable(path: str) -> bool:
    """Whether everybody may pass through the directories above a path, and through the path itself."""
    while os.stat(path).st_mode & stat.S_IXOTH:
        if path == "/":
            return True
        path = os.path.dirname(os.path.abspath(path))
    return False


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

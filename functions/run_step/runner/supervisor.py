"""Starts the commands of a step, watches them and ends them, as a process between the function and the step.

Run as a program by `sandbox.py`, with a spec on standard input (a length of four bytes and JSON) and frames on standard
output. It has no secrets and one thread, so it can fork safely, adopt every orphan of the step, and kill all of it
without touching any other process of the function. Another byte on standard input asks it to end the step; the end of
standard input means that the function is dead, and that it has to clean up as well.

A frame is one letter, a length of four bytes and that many bytes: `o` and `e` what the step wrote to standard
output and standard error, `r` the report at the end (JSON).
"""

import contextlib
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from runner import cleanup, disk_usage, namespaces, privileges, procfs, seccomp

TICK_SECONDS = 0.05
CHUNK = 64 * 1024
MAX_SAID_BYTES = 8192
HEADER = struct.Struct("!cI")
SIZE = struct.Struct("!I")
CANNOT_EXECUTE = 126


class Spec(NamedTuple):
    """What to execute, as whom and within which bounds (bytes and seconds).

    `user` is whom the step becomes (see `privileges.become`); a user of its own stays in namespaces (see
    `namespaces.py`) that hide the folders `closed` and show the folders `needed`. `base` holds all that belongs to the
    step. `directories` in it are those that the step fills; what its user owns directly in one of the `places`, which
    are shared with others, counts as well.
    """

    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]
    base: str
    directories: Sequence[str]
    places: Sequence[str]
    needed: Sequence[str]
    closed: Sequence[str]
    user: int | None
    seconds: float
    memory_bytes: int
    disk_bytes: int
    file_bytes: int
    processes: int
    open_files: int
    cpu_seconds: int


class Report(NamedTuple):
    """How it ended: the commands ran (`stopped` is None), or the supervisor stopped them for a reason.

    `command` counts from 1. `status` is the shell's: 128 + the signal's number for a command that was killed.
    `stopped` is one of asked, disk, memory, processes, start, time. `starved` tells that the kernel killed something
    for want of memory meanwhile, `clean` that nothing of the step is alive any more. `said` is the end of what the
    command wrote to either stream.
    """

    command: int
    status: int | None
    stopped: str | None
    detail: str
    starved: bool
    clean: bool
    said: str = ""


class Stop(Exception):
    """The step has to end now."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Supervisor:
    """Executes one spec."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._user = os.getuid() if spec.user is None else spec.user
        self._deadline = time.monotonic() + spec.seconds
        self._next_check = 0.0
        self._usage = disk_usage.Usage(spec.directories, spec.places, self._user, spec.disk_bytes)
        self._poll = select.poll()
        self._streams: dict[int, bytes] = {}
        self._said = b""
        self._output, self._error, self._child_ended = os.pipe(), os.pipe(), os.pipe()

    def run(self) -> Report:
        """Run the commands until one fails or has to be stopped; nothing of them is alive afterwards."""
        self._listen()
        number, status, stopped, detail = 0, None, None, ""
        kills = _kills_for_memory()
        try:
            for number, words in enumerate(self._spec.commands, 1):  # noqa: B007 - the last one is reported
                status = None
                self._forget()
                status = self._wait_for(self._start(words))
                if status != 0:
                    break
        except Stop as stop:
            stopped, detail = stop.reason, stop.detail
        finally:
            clean = procfs.end_descendants(os.getpid())
        self._forward_rest()
        said = self._said.decode("utf-8", "replace")
        return Report(number, status, stopped, detail, _kills_for_memory() > kills, clean, said)

    def _listen(self) -> None:
        hears, tells = self._child_ended
        os.set_blocking(hears, False)
        os.set_blocking(tells, False)
        # Without a handler the signal would not wake anybody up.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
        for (end, _), kind in ((self._output, b"o"), (self._error, b"e")):
            os.set_blocking(end, False)
            self._streams[end] = kind
        for end in (sys.stdin.fileno(), hears, *self._streams):
            self._poll.register(end, select.POLLIN)

    def _start(self, words: Sequence[str]) -> int:
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            self._become_command(words, tell)
        os.close(tell)
        with open(told, "rb") as file:
            if problem := file.read(CHUNK):
                raise Stop("start", problem.decode("utf-8", "replace"))
        return child

    def _become_command(self, words: Sequence[str], tell: int) -> NoReturn:
        """In the child: become the command, or tell why that is impossible."""
        try:
            os.setsid()
            self._reset_signals()
            self._connect_streams()
            privileges.show()
            # When memory runs out, the kernel should choose the step and not the function.
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")
            self._set_limits()
            privileges.become(self._spec.user)
            seccomp.install()
            os.umask(0o022)
            os.chdir(self._spec.directories[0])
            os.execve(words[0], list(words), dict(self._spec.environment))  # noqa: S606 - a shell is what we start
        except BaseException as error:
            # The text of an error of the system would name a place in this machine.
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            os.write(tell, f"{type(error).__name__}: {text}"[:1000].encode("utf-8", "replace"))
        finally:
            os._exit(CANNOT_EXECUTE)

    def _reset_signals(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)

    def _connect_streams(self) -> None:
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(self._output[1], 1)
        os.dup2(self._error[1], 2)

    def _set_limits(self) -> None:
        spec = self._spec
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_MSGQUEUE, 0)
        _limit(resource.RLIMIT_FSIZE, spec.file_bytes)
        _limit(resource.RLIMIT_NOFILE, spec.open_files)
        _limit(resource.RLIMIT_CPU, spec.cpu_seconds, spare=5)
        # Address space is reserved generously by threads and allocators; what is really held is watched.
        _limit(resource.RLIMIT_AS, 2 * spec.memory_bytes + (1 << 30))
        # The kernel counts all that the user has; what is not the step's may become twice as much while it runs.
        _limit(resource.RLIMIT_NPROC, spec.processes + 2 * procfs.threads_of(self._user))

    def _wait_for(self, child: int) -> int:
        """Forward output and look after the step until the child ends; its exit status as a shell counts."""
        while True:
            pause = max(0.0, self._next_check - time.monotonic())
            ready = {end for end, _ in self._poll.poll(pause * 1000)}
            for end in self._streams:
                if end in ready:
                    self._forward(end)
            if sys.stdin.fileno() in ready:
                raise Stop("asked")
            if self._child_ended[0] in ready:
                os.read(self._child_ended[0], CHUNK)
                status = _reap(child)
                if status is not None:
                    return status
            if time.monotonic() >= self._next_check:
                self._check_limits()

    def _check_limits(self) -> None:
        begun = time.monotonic()
        family = procfs.living(procfs.descendants(os.getpid()))
        if procfs.memory(family, self._spec.memory_bytes) > self._spec.memory_bytes:
            raise Stop("memory")
        if len(family) > self._spec.processes:
            raise Stop("processes")
        if begun > self._deadline:
            raise Stop("time")
        if self._usage.is_exceeded():
            raise Stop("disk")
        # Looking may be slow (many processes, much shared memory): it must not become the main work, nor be late.
        now = time.monotonic()
        pause = max(TICK_SECONDS, 10 * (now - begun))
        self._next_check = min(now + pause, max(now + TICK_SECONDS, self._deadline))

    def _forward(self, end: int) -> bool:
        try:
            chunk = os.read(end, CHUNK)
        except BlockingIOError:
            return False
        _send(self._streams[end], chunk)
        self._said = (self._said + chunk)[-MAX_SAID_BYTES:]
        return True

    def _forget(self) -> None:
        """Forget what earlier commands said; one that still runs may go on writing, so this reads what a pipe holds."""
        for end in self._streams:
            self._forward(end)
        self._said = b""

    def _forward_rest(self) -> None:
        """What is left in the pipes; the processes that wrote it are dead, so this ends."""
        for end in self._streams:
            while self._forward(end):
                pass


def main() -> None:
    """Carry out the spec that comes on standard input."""
    privileges.hide()
    privileges.adopt_orphans()
    os.chdir("/")
    # The step has to pass through directories that lead to what it needs.
    os.umask(0o022)
    (size,) = SIZE.unpack(_read(SIZE.size))
    spec = Spec(**json.loads(_read(size)))
    with contextlib.suppress(BrokenPipeError):
        # It opens places that are out of sight in the namespaces.
        supervisor = Supervisor(spec)
        with _namespaces(spec):
            report = supervisor.run()
        _send(b"r", json.dumps(report._asdict()).encode())
    # The function kills us once it has the report. If it is dead itself, only we can clean up.
    while os.read(sys.stdin.fileno(), CHUNK):
        pass
    cleanup.wipe(spec.base)


def _namespaces(spec: Spec) -> contextlib.AbstractContextManager[object]:
    if spec.user is None:
        return contextlib.nullcontext()
    return namespaces.entered(spec.base, spec.directories, spec.needed, spec.closed)


def _limit(kind: int, value: int, spare: int = 0) -> None:
    """Set a limit, unless a lower one is in force already; `spare` is how much later than the signal the end comes."""
    ceiling = resource.getrlimit(kind)[1]
    if ceiling == resource.RLIM_INFINITY:
        ceiling = value + spare
    resource.setrlimit(kind, (min(value, ceiling), min(value + spare, ceiling)))


def _reap(child: int) -> int | None:
    """Reap every process that has ended; the exit status of the child if it is among them."""
    result = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                result = code if code >= 0 else 128 - code
    return result


def _kills_for_memory() -> int:
    """How often the kernel has killed for want of memory since it started."""
    with contextlib.suppress(OSError), open("/proc/vmstat", encoding="ascii") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    return 0


def _send(kind: bytes, content: bytes) -> None:
    frame = memoryview(HEADER.pack(kind, len(content)) + content)
    while frame:
        frame = frame[os.write(sys.stdout.fileno(), frame) :]


def _read(size: int) -> bytes:
    content = b""
    while len(content) < size:
        chunk = os.read(sys.stdin.fileno(), size - len(content))
        if not chunk:
            sys.exit("the spec is not complete")
        content += chunk
    return content


if __name__ == "__main__":
    main()

"""The warden: a small process between the function and a step, which starts the step, watches it and ends it.

Run as a program by `cage.py`, with an order on standard input and frames on standard output. It has no secrets and
one thread, so it can fork safely, adopt every orphan of the step, and kill all of it without touching any other
process of the function. When the function dies or wants the step to end, standard input says so.

A frame is one letter, a length of four bytes and that many bytes: `o` and `e` what the step wrote to standard output
and standard error, `r` the report at the end (JSON).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import select
import signal
import stat
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

import processes

TICK_SECONDS = 0.05
CHUNK = 64 * 1024
HEADER = struct.Struct("!cI")


@dataclasses.dataclass(frozen=True)
class Order:
    """What to execute, as whom and within which bounds (bytes and seconds).

    `user` and `reads_everything` say who to become (see `processes.become`). `directories` are those that the step
    fills; what its user owns directly in one of the `places`, which are shared with others, counts as well.
    """

    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]
    directory: str
    directories: Sequence[str]
    places: Sequence[str]
    user: int | None
    reads_everything: bool
    seconds: float
    memory_bytes: int
    disk_bytes: int
    file_bytes: int
    processes: int
    open_files: int
    cpu_seconds: int


@dataclasses.dataclass(frozen=True)
class Report:
    """How it ended: the commands ran (`stopped` is None), or the warden stopped them for a reason.

    `command` counts from 1. `status` is the shell's: 128 + the signal's number for a command that was killed.
    `stopped` is one of time, memory, processes, disk, asked, start. `starved` tells that the kernel killed something
    for want of memory meanwhile.
    """

    command: int
    status: int | None
    stopped: str | None
    detail: str
    peak_bytes: int
    starved: bool
    clean: bool


class Stop(Exception):
    """The step has to end now; the first argument is the reason, the second a detail."""


class Warden:
    """Executes one order."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.deadline = time.monotonic() + order.seconds
        self.peak = 0
        owner = os.getuid() if order.user is None else order.user
        self.disk = Disk(order.directories, order.places, owner, order.disk_bytes)
        self.streams: dict[int, bytes] = {}
        self.poll = select.poll()
        self.next_look = 0.0
        self.output = os.pipe()
        self.error = os.pipe()
        self.child_ended = os.pipe()

    def run(self) -> Report:
        """Run the commands until one fails or has to be stopped; nothing of them is alive afterwards."""
        self._listen()
        command, status, stopped, detail = 0, None, None, ""
        oom_kills = _oom_kills()
        try:
            for command, words in enumerate(self.order.commands, 1):
                status = None
                status = self._attend(self._start(words))
                if status != 0:
                    break
        except Stop as stop:
            stopped, detail = stop.args
        finally:
            clean = processes.end_descendants(os.getpid())
        self._forward_rest()
        starved = _oom_kills() > oom_kills
        return Report(command, status, stopped, detail, self.peak, starved, clean)

    def _listen(self) -> None:
        os.set_blocking(self.child_ended[1], False)
        os.set_blocking(self.child_ended[0], False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.child_ended[1], warn_on_full_buffer=False)
        for (end, _), kind in ((self.output, b"o"), (self.error, b"e")):
            os.set_blocking(end, False)
            self.streams[end] = kind
        for end in (0, self.child_ended[0], *self.streams):
            self.poll.register(end, select.POLLIN)

    def _start(self, words: Sequence[str]) -> int:
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            self._become(words, tell)
        os.close(tell)
        with open(told, "rb") as file:
            if problem := file.read(CHUNK):
                raise Stop("start", problem.decode())
        return child

    def _become(self, words: Sequence[str], tell: int) -> NoReturn:
        """In the child: turn into the command, or tell why that is impossible."""
        order = self.order
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            with open(os.devnull, "rb") as nothing:
                os.dup2(nothing.fileno(), 0)
            os.dup2(self.output[1], 1)
            os.dup2(self.error[1], 2)
            processes.show()
            # When memory runs out, the kernel should choose the step and not the function.
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")
            _limit(resource.RLIMIT_CORE, 0)
            _limit(resource.RLIMIT_FSIZE, order.file_bytes)
            _limit(resource.RLIMIT_NOFILE, order.open_files)
            _limit(resource.RLIMIT_CPU, order.cpu_seconds, order.cpu_seconds + 5)
            # Address space is reserved generously by threads and allocators; what is really held is watched.
            _limit(resource.RLIMIT_AS, 2 * order.memory_bytes + (1 << 30))
            user = os.getuid() if order.user is None else order.user
            _limit(resource.RLIMIT_NPROC, order.processes + processes.threads_of(user))
            _limit(resource.RLIMIT_MSGQUEUE, 0)
            processes.become(order.user, order.reads_everything)
            os.umask(0o022)
            os.chdir(order.directory)
            os.execve(words[0], list(words), dict(order.environment))
        except BaseException as error:
            os.write(tell, f"{type(error).__name__}: {error}"[:1000].encode("utf-8", "replace"))
        finally:
            os._exit(126)

    def _attend(self, child: int) -> int:
        """Forward output and look after the step until the child ends; its exit status as a shell counts."""
        while True:
            pause = max(0.0, self.next_look - time.monotonic())
            ready = {end for end, _ in self.poll.poll(pause * 1000)}
            for end in ready & self.streams.keys():
                self._forward(end)
            if 0 in ready:
                raise Stop("asked", "")
            if self.child_ended[0] in ready:
                os.read(self.child_ended[0], CHUNK)
                status = _reap(child)
                if status is not None:
                    return status
            if time.monotonic() >= self.next_look:
                self._look()

    def _look(self) -> None:
        begun = time.monotonic()
        family = processes.living(processes.descendants(os.getpid()))
        held = processes.memory(family, self.order.memory_bytes)
        self.peak = max(self.peak, held)
        if held > self.order.memory_bytes:
            raise Stop("memory", f"{held >> 20} MiB")
        if len(family) > self.order.processes:
            raise Stop("processes", str(len(family)))
        if time.monotonic() > self.deadline:
            raise Stop("time", "")
        if self.disk.is_exceeded():
            raise Stop("disk", "")
        # Looking may be slow (many processes, much shared memory): it must not become the main work.
        now = time.monotonic()
        self.next_look = now + max(TICK_SECONDS, 10 * (now - begun))

    def _forward(self, end: int) -> bool:
        try:
            chunk = os.read(end, CHUNK)
        except BlockingIOError:
            return False
        if chunk:
            _send(self.streams[end], chunk)
        return bool(chunk)

    def _forward_rest(self) -> None:
        """What is left in the pipes; their writers are dead, so this ends."""
        for end in self.streams:
            with contextlib.suppress(OSError):
                while self._forward(end):
                    pass


class Disk:
    """Notices when directories have grown by more than a limit, without walking them all the time.

    The free space of the file system is asked often, the directories are walked only when it has shrunk enough.
    """

    def __init__(self, directories: Sequence[str], places: Sequence[str], owner: int, limit: int) -> None:
        self.directories = directories
        self.places = places
        self.owner = owner
        self.limit = limit
        self.used_before = self._used()
        self.reference = self._free()

    def is_exceeded(self) -> bool:
        """Whether there is more than the limit beyond what there was at first."""
        if self.reference - self._free() <= self.limit:
            return False
        grown = self._used() - self.used_before
        # Somebody else may have used the space.
        self.reference = self._free() + max(0, grown)
        return grown > self.limit

    def _free(self) -> int:
        found = {}
        for place in (*self.directories, *self.places):
            status = os.statvfs(place)
            found[status.f_fsid, status.f_blocks] = status.f_bavail * status.f_frsize
        return sum(found.values())

    def _used(self) -> int:
        total, pending = 0, [*self.directories, *self._own_entries()]
        while pending:
            path = pending.pop()
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                total += status.st_blocks * 512
                if stat.S_ISDIR(status.st_mode):
                    pending += [os.path.join(path, name) for name in os.listdir(path)]
        return total

    def _own_entries(self) -> Iterator[str]:
        for place in self.places:
            for name in os.listdir(place):
                path = os.path.join(place, name)
                with contextlib.suppress(OSError):
                    if os.lstat(path).st_uid == self.owner and path not in map(
                        os.path.dirname, self.directories
                    ):
                        yield path


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    ceiling = resource.getrlimit(kind)[1]
    wanted = (soft, soft if hard is None else hard)
    if ceiling != resource.RLIM_INFINITY:
        wanted = (min(wanted[0], ceiling), min(wanted[1], ceiling))
    resource.setrlimit(kind, wanted)


def _reap(child: int) -> int | None:
    """Bury everything that has ended; the exit status of the child if it was among it."""
    result = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return result
        if pid == 0:
            return result
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            result = code if code >= 0 else 128 - code


def _oom_kills() -> int:
    """How often the kernel has killed for want of memory since it started."""
    with contextlib.suppress(OSError), open("/proc/vmstat", encoding="ascii") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _send(kind: bytes, content: bytes) -> None:
    frame = memoryview(HEADER.pack(kind, len(content)) + content)
    while frame:
        frame = frame[os.write(1, frame) :]


def _order() -> Order:
    (size,) = struct.unpack("!I", _exactly(4))
    return Order(**json.loads(_exactly(size)))


def _exactly(size: int) -> bytes:
    content = b""
    while len(content) < size:
        chunk = os.read(0, size - len(content))
        if not chunk:
            sys.exit(1)
        content += chunk
    return content


def main() -> None:
    """Carry out the order that comes on standard input."""
    processes.hide()
    processes.adopt_orphans()
    report = Warden(_order()).run()
    _send(b"r", json.dumps(dataclasses.asdict(report)).encode())


if __name__ == "__main__":
    main()

"""Reads from /proc which processes descend from one and how much memory they hold, and ends all of them.

A step may fork, change its session and process group, or let its parents die. What it cannot change is its
ancestry: a process that called `adopt_orphans` inherits every orphan below it, so that its descendants are found by
walking /proc.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One line of the process table; `resident` in bytes. A zombie that still has threads is alive."""

    pid: int
    parent: int
    alive: bool
    threads: int
    resident: int


def table() -> dict[int, Process]:
    """Every process that is visible now."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := _read(f"/proc/{name}")):
            found[process.pid] = process
    return found


def descendants(root: int, spare: Collection[int] = ()) -> list[Process]:
    """The processes below `root`, dead ones too, without those in `spare` and without what descends from them."""
    processes = table()
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, pending = [], [root]
    while pending:
        for pid in children.get(pending.pop(), ()):
            if pid not in spare:
                pending.append(pid)
                found.append(processes[pid])
    return found


def living(family: Collection[Process]) -> list[Process]:
    """Those that are not merely waiting to be reaped."""
    return [process for process in family if process.alive]


def threads_of(user: int) -> int:
    """Threads that a user has now: the kernel's limit on processes is a limit on these."""
    count = 0
    for pid, process in table().items():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
            # The owner of the directory would be root for processes that hide.
            if any(line.startswith(b"Uid:") and int(line.split()[1]) == user for line in file):
                count += process.threads
    return count


def memory(family: Collection[Process], limit: int) -> int:
    """Bytes that some processes hold together; exact about shared pages only when it matters, above the limit."""
    resident = sum(process.resident for process in family)
    if resident <= limit:
        return resident
    return sum(_proportional(process) for process in family)


def end_descendants(root: int, spare: Collection[int] = (), seconds: float = 5.0) -> bool:
    """Kill everything below `root`, this process; false if something still lives after some seconds.

    A process that forks and exits faster than the table can be read is seen only by the zombies it leaves. So none
    is reaped before two looks in a row show the same zombies and no living process; meanwhile the zombies use up the
    number of processes that their user may have, until even the fastest cannot fork and is caught. The living are
    stopped before the first is killed, because a stopped process does not fork while the others are being killed.
    """
    deadline = time.monotonic() + seconds
    dead_before: set[int] | None = None
    while True:
        family = descendants(root, spare)
        alive = [process.pid for process in living(family)]
        dead = {process.pid for process in family}.difference(alive)
        if not alive and dead == dead_before:
            break
        if time.monotonic() > deadline:
            return False
        for kind in (signal.SIGSTOP, signal.SIGKILL):
            for pid in alive:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, kind)
        dead_before = dead
    for pid in dead:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return True


def _read(path: str) -> Process | None:
    try:
        with open(f"{path}/stat", "rb", buffering=0) as file:
            # The name is in brackets and may itself contain brackets and blanks.
            start, _, rest = file.read(1024).rpartition(b")")
    except OSError:
        return None
    fields = rest.split()
    if len(fields) < 22:
        return None
    state, parent, threads, pages = fields[0], int(fields[1]), int(fields[17]), int(fields[21])
    ended = state in (b"Z", b"X")
    resident = pages * PAGE
    if ended and threads > 1:
        # Its first thread has ended and knows nothing of the memory any more; the others do.
        resident = max((task.resident for task in map(_read, _other_threads(path)) if task), default=0)
    return Process(int(start.split()[0]), parent, not ended or threads > 1, threads, resident)


def _other_threads(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return [f"{path}/task/{name}" for name in os.listdir(f"{path}/task") if not path.endswith(f"/{name}")]
    return []


def _proportional(process: Process) -> int:
    """Resident bytes with each shared page divided among those that share it; plain ones if that is kept secret.

    A process that has ended since it was seen has none: its pages must not count in full, once for each that shared
    them. A second look tells it from a process that has only lost its first thread.
    """
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except PermissionError:
        return process.resident
    except OSError:
        pass
    now = _read(f"/proc/{process.pid}")
    return now.resident if now else 0

"""Measures how much a step has written, without walking its directories all the time."""

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence

from runner import procfs

BLOCK = 512  # the unit of st_blocks, whatever the file system
ENTRY_BYTES = 4096
PERIOD_SECONDS = 0.5


class Usage:
    """Tells whether what a step holds in files has grown by more than a limit.

    These are its directories, what its user owns directly in shared places, and files without a name that its
    processes keep open: deleted ones, and those in memory only. Every file counts as one block at least, so that
    empty ones are bounded too. The files are looked at now and then, the more there are the less often, and at once
    when the free space has shrunk by more than the limit; others use and leave space too, so that alone says little.
    """

    def __init__(self, directories: Sequence[str], places: Sequence[str], owner: int, limit: int) -> None:
        self._directories = directories
        self._places = places
        self._owner = owner
        self._limit = limit
        # A step may remove its directories; a file system can still be asked through what was opened before.
        self._systems = _open_one_of_each((*directories, *places))
        self._used_before = self._used()
        self._reference = self._free()
        self._next_look = time.monotonic() + PERIOD_SECONDS

    def is_exceeded(self) -> bool:
        """Whether there is more than the limit beyond what there was at first."""
        now = time.monotonic()
        if now < self._next_look and self._reference - self._free() <= self._limit:
            return False
        grown = self._used() - self._used_before
        self._reference = self._free() + max(0, grown)
        self._next_look = now + max(PERIOD_SECONDS, 20 * (time.monotonic() - now))
        return grown > self._limit

    def _free(self) -> int:
        free = {}
        for system in self._systems:
            status = os.statvfs(system)
            free[os.fstat(system).st_dev] = status.f_bavail * status.f_frsize + status.f_ffree * ENTRY_BYTES
        return sum(free.values()) - _memory_in_files()

    def _used(self) -> int:
        total, pending = _nameless_bytes(), [*self._directories, *self._own_entries()]
        while pending:
            path = pending.pop()
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                total += max(ENTRY_BYTES, status.st_blocks * BLOCK)
                if stat.S_ISDIR(status.st_mode):
                    pending += [os.path.join(path, name) for name in os.listdir(path)]
        return total

    def _own_entries(self) -> Iterator[str]:
        for place in self._places:
            with contextlib.suppress(OSError), os.scandir(place) as entries:
                for entry in entries:
                    if not self._is_counted(entry.path) and _owner(entry) == self._owner:
                        yield entry.path

    def _is_counted(self, path: str) -> bool:
        return any(directory.startswith(f"{path}/") for directory in self._directories)


def _open_one_of_each(places: Iterable[str]) -> list[int]:
    """Open one place on every file system; one that is gone by now was not the step's."""
    found: dict[int, str] = {}
    for place in places:
        with contextlib.suppress(OSError):
            found.setdefault(os.stat(place).st_dev, place)
    return [os.open(place, os.O_RDONLY | os.O_CLOEXEC) for place in found.values()]


def _owner(entry: os.DirEntry[str]) -> int | None:
    with contextlib.suppress(OSError):
        return entry.stat(follow_symlinks=False).st_uid
    return None


def _memory_in_files() -> int:
    """Bytes of memory that hold the contents of files that are on no disk, of all processes."""
    with contextlib.suppress(OSError), open("/proc/meminfo", encoding="ascii") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith("Shmem:")), 0)
    return 0


def _nameless_bytes() -> int:
    """Bytes in files without a name that processes below this one keep open."""
    found = {}
    for process in procfs.descendants(os.getpid()):
        folder = f"/proc/{process.pid}/fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                with contextlib.suppress(OSError):
                    status = os.stat(f"{folder}/{name}")
                    if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                        found[status.st_dev, status.st_ino] = status.st_blocks * BLOCK
    return sum(found.values())

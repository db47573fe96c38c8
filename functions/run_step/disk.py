"""How much a step has written to disk, watched without walking its directories all the time."""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence

BLOCK = 512  # the unit of st_blocks, whatever the file system


class Usage:
    """Tells whether directories, and what a user owns directly in shared places, have grown by more than a limit.

    The free space of the file systems is asked every time; the directories are walked only when it has shrunk
    enough.
    """

    def __init__(self, directories: Sequence[str], places: Sequence[str], owner: int, limit: int) -> None:
        self._directories = directories
        self._places = places
        self._owner = owner
        self._limit = limit
        # A step may remove its directories; a file system can still be asked through what was opened before.
        self._systems = [os.open(place, os.O_RDONLY | os.O_CLOEXEC) for place in (*directories, *places)]
        self._used_before = self._used()
        self._reference = self._free()

    def is_exceeded(self) -> bool:
        """Whether there is more than the limit beyond what there was at first."""
        if self._reference - self._free() <= self._limit:
            return False
        grown = self._used() - self._used_before
        # Somebody else may have used the space.
        self._reference = self._free() + max(0, grown)
        return grown > self._limit

    def _free(self) -> int:
        free = {}
        for system in self._systems:
            status = os.statvfs(system)
            free[os.fstat(system).st_dev] = status.f_bavail * status.f_frsize
        return sum(free.values())

    def _used(self) -> int:
        total, pending = 0, [*self._directories, *self._own_entries()]
        while pending:
            path = pending.pop()
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                total += status.st_blocks * BLOCK
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


def _owner(entry: os.DirEntry[str]) -> int | None:
    with contextlib.suppress(OSError):
        return entry.stat(follow_symlinks=False).st_uid
    return None

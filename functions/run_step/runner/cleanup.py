"""Removes what a step leaves behind: files in shared places, System V objects, directories of any depth or mode.

Strangers' directories may be locked, deeper than any path may be long, or named with bytes that are no text; files
may lie in places that all users share; System V memory, semaphores and queues outlive every process.
"""

import contextlib
import ctypes
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator

IN_LAMBDA = os.environ.get("LAMBDA_TASK_ROOT") == "/var/task"
SHARED_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - they are looked at because all may write there
KERNELS = ("/proc", "/sys")
DEPTH = 3
IPC_RMID = 0

_libc = ctypes.CDLL(None)


class Sweep:
    """Remembers what there was before a step, and removes what is new and surely the step's.

    In Lambda, where there is no other user, that is everything new. Elsewhere it is what belongs to `user`, whom the
    step became; nothing if it stayed the user that we are, because no file tells then which process wrote it.
    """

    def __init__(self, user: int | None) -> None:
        self._owner = os.geteuid() if IN_LAMBDA else user
        self.places = _shared_places() if self._owner is not None else ()
        self._before = {place: _names(place) if IN_LAMBDA else set() for place in self.places}

    def remove(self) -> None:
        """Remove files from the shared places, and what there is of System V objects."""
        if self._owner is None:
            return
        for place, before in self._before.items():
            for name in _names(place) - before:
                path = os.path.join(place, name)
                with contextlib.suppress(FileNotFoundError):
                    if os.lstat(path).st_uid == self._owner:
                        wipe(path)
        with _acting_as(self._owner):
            for kind, number in _objects(self._owner):
                if kind == "sem":
                    _libc.semctl(number, 0, IPC_RMID)
                else:
                    (_libc.shmctl if kind == "shm" else _libc.msgctl)(number, IPC_RMID, None)


def wipe(path: str) -> None:
    """Remove a file or a directory with all that is in it, however deep, long or locked its owner made it.

    Directories are moved up to the top before they are emptied, so that no path gets too long for the kernel.
    """
    top = os.fsencode(path)
    if not _is_directory(top):
        os.unlink(top)
        return
    os.chmod(top, stat.S_IRWXU)
    while names := os.listdir(top):
        for name in names:
            child = os.path.join(top, name)
            if _is_directory(child):
                _move_directories(child, top)
                os.rmdir(child)
            else:
                os.unlink(child)
    os.rmdir(top)


def _move_directories(directory: bytes, top: bytes) -> None:
    """Empty a directory: its files are removed, its directories become directories of `top`."""
    os.chmod(directory, stat.S_IRWXU)
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if _is_directory(path):
            # Only a user that may write to a directory can move it.
            os.chmod(path, stat.S_IRWXU)
            os.rename(path, os.path.join(top, secrets.token_hex(16).encode()))
        else:
            os.unlink(path)


def _shared_places() -> tuple[str, ...]:
    candidates = map(os.path.realpath, (tempfile.gettempdir(), *SHARED_PLACES, *(() if IN_LAMBDA else open_to_all())))
    return tuple(dict.fromkeys(place for place in candidates if os.path.isdir(place)))


def open_to_all() -> tuple[str, ...]:
    """The directories of this machine in which everybody may leave files, as far as they are looked for.

    Which they are differs from system to system (/run/lock, /var/crash, /tmp/.ICE-unix, ...). They lie near the top,
    or in each other.
    """
    found, pending = [], [(place, DEPTH) for place in ("/", *_mount_points())]
    while pending:
        place, depth = pending.pop()
        if _is_open_to_all(place):
            found.append(place)
            pending += [(path, 0) for path in _directories(place)]
        elif depth and not place.startswith(KERNELS):
            pending += [(path, depth - 1) for path in _directories(place)]
    return tuple(dict.fromkeys(found))


def _mount_points() -> list[str]:
    with contextlib.suppress(OSError), open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        return [line.split()[1].replace(r"\040", " ") for line in file]
    return []


def _is_open_to_all(place: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(os.stat(place).st_mode & stat.S_IWOTH)
    return False


def _directories(place: str) -> list[str]:
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []


def _names(place: str) -> set[str]:
    # A place that was there before may be gone by now.
    with contextlib.suppress(FileNotFoundError):
        return set(os.listdir(place))
    return set()


def _is_directory(path: bytes) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)


@contextlib.contextmanager
def _acting_as(user: int) -> Iterator[None]:
    """What belongs to a user root may remove everywhere but in a container; the user itself may always."""
    before = os.geteuid()
    if before != user:
        os.seteuid(user)
    try:
        yield
    finally:
        if before != user:
            os.seteuid(before)


def _objects(owner: int) -> Iterator[tuple[str, int]]:
    """Kind and number of the System V objects that a user has created."""
    for kind in ("shm", "sem", "msg"):
        with contextlib.suppress(OSError), open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
            columns = file.readline().split()
            for line in file:
                row = dict(zip(columns, map(int, line.split()), strict=False))
                if row["cuid"] == owner:
                    yield kind, row["msqid" if kind == "msg" else f"{kind}id"]

"""Hides the network, shared memory and folders of the stack from a step that has a user of its own.

On one machine, root gives a step namespaces: a network with nothing but a loopback, no System V objects and message
queues of others, no /dev/shm (which AWS Lambda has not either), a handful of devices, folders of the stack that are
covered, and nothing to write to but its own directories and a /tmp and /var/tmp of its own, because the machine's hold
files of other steps. Where the kernel refuses a namespace (in most containers, say), the step runs without it: files
are still guarded by their modes, and swept.

In AWS Lambda, and for an ordinary user, there are no namespaces.
"""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator, Sequence

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWNET = 0x40000000
MS_NOSUID = 0x2
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MOUNT_SETATTR = 442  # the same number on every architecture; libc has no name for it before 2.36
MOUNT_ATTR_RDONLY = 0x1
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

DEVICES = ("full", "null", "ptmx", "pts", "random", "tty", "urandom", "zero")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
# Lambda lets a step write to the first. Here they are folders on disk: memory for files would not be counted.
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108
NETWORK = "a step reaches the network, and so every service of this machine"
FILES = "a step sees /dev/shm and the project's folder, shares /tmp with others, and may write wherever everybody may"

_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def entered(base: str, own: Sequence[str], needed: Sequence[str], closed: Sequence[str]) -> Iterator[list[str]]:
    """Meanwhile this process and its children are in namespaces; it yields what is open because one was refused.

    `base` belongs to this process alone, and the step writes to the directories `own` in it. In the temporary
    directories of the machine it sees `base` and the folders `needed` only, and it does not see the content of the
    folders `closed`. Afterwards this process sees all files again; it stays without a network.
    """
    missing = []
    try:
        _call("unshare", CLONE_NEWNET | CLONE_NEWIPC)
        _start_loopback()
    except OSError:
        missing.append(NETWORK)
    with open("/proc/self/ns/mnt", "rb") as outside:
        try:
            _call("unshare", CLONE_NEWNS)
            _isolate_files(base, own, needed, closed)
        except OSError:
            _leave(outside.fileno())
            missing.append(FILES)
        try:
            yield missing
        finally:
            _leave(outside.fileno())


def _isolate_files(base: str, own: Sequence[str], needed: Sequence[str], closed: Sequence[str]) -> None:
    own = [os.path.realpath(place) for place in own]
    temporary = sorted({os.path.realpath(place) for place in TEMPORARY if os.path.isdir(place)})
    _mount(None, "/", MS_REC | MS_PRIVATE)
    _replace_temporary(temporary, os.path.join(base, "temporary"), (base, *needed))
    for place in own:
        _mount(place, place, MS_BIND | MS_REC)
    for folder in closed:
        if os.path.isdir(folder) and not _is_within(base, folder):
            _mount("none", folder, MS_NOSUID | MS_NOEXEC, "tmpfs", "mode=0,size=4k")
    _replace_devices(os.path.join(base, "devices"))
    _set_read_only("/", True, AT_RECURSIVE)
    # A process writes there how likely the kernel shall end it; what matters there belongs to root.
    for place in (*temporary, *own, "/proc"):
        _set_read_only(place, False)


def _replace_temporary(places: Sequence[str], folder: str, needed: Sequence[str]) -> None:
    """Put an empty directory in the place of each, in which only what is needed is where it was."""
    # Other steps, which know no name in it, do not pass here either.
    os.mkdir(folder, stat.S_IRWXU)
    ways = {path for folder in needed for path in (os.path.abspath(folder), os.path.realpath(folder))}
    # What lies in another comes after it.
    kept = sorted(path for path in ways if any(path.startswith(f"{place}/") for place in places))
    with contextlib.ExitStack() as stack:
        opened = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in kept}
        for descriptor in opened.values():
            stack.callback(os.close, descriptor)
        for number, place in enumerate(places):
            own = os.path.join(folder, str(number))
            os.mkdir(own)
            # Root owns it, so that only root can move what is needed out of the way.
            os.chmod(own, stat.S_ISVTX | 0o777)  # noqa: S103
            _mount(own, place, MS_BIND)
            for path in kept:
                if path.startswith(f"{place}/"):
                    os.makedirs(path, exist_ok=True)
                    _mount(f"/proc/self/fd/{opened[path]}", path, MS_BIND)


def _replace_devices(folder: str) -> None:
    """Put a /dev in the place of the machine's that has only what every program expects."""
    os.mkdir(folder)
    _mount("none", folder, MS_NOSUID | MS_NOEXEC, "tmpfs", "mode=755,size=64k")
    for name in DEVICES:
        there, here = f"/dev/{name}", os.path.join(folder, name)
        if os.path.islink(there):
            os.symlink(os.readlink(there), here)
        elif os.path.isdir(there):
            os.mkdir(here)
            _mount(there, here, MS_BIND)
        elif os.path.exists(there):
            pathlib.Path(here).touch()
            _mount(there, here, MS_BIND)
    for name, target in LINKS.items():
        os.symlink(target, os.path.join(folder, name))
    _mount(folder, "/dev", MS_MOVE)


def _start_loopback() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def _leave(outside: int) -> None:
    # Where the kernel gave no namespace, there is none to leave.
    with contextlib.suppress(OSError):
        _call("setns", outside, CLONE_NEWNS)


def _is_within(path: str, folder: str) -> bool:
    return os.path.commonpath((os.path.realpath(path), os.path.realpath(folder))) == os.path.realpath(folder)


def _mount(source: str | None, target: str, flags: int, kind: str | None = None, options: str | None = None) -> None:
    source_, target_, kind_, options_ = (
        os.fsencode(text) if text else None for text in (source, target, kind, options)
    )
    _call("mount", source_, target_, kind_, ctypes.c_ulong(flags), options_)


def _set_read_only(place: str, read_only: bool, flags: int = 0) -> None:
    attributes = struct.pack("QQQQ", *(MOUNT_ATTR_RDONLY * wanted for wanted in (read_only, not read_only)), 0, 0)
    size = ctypes.c_size_t(len(attributes))
    path = os.fsencode(place)
    _call("syscall", ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, path, ctypes.c_uint(flags), attributes, size)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name} is refused")


def main() -> None:
    """Print what steps of this user can reach because the kernel grants no namespaces, one thing a line."""
    missing = [NETWORK, FILES]
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory() as base, entered(base, (), (), ()) as found:
            missing = found
    for line in missing:
        print(line)


if __name__ == "__main__":
    main()

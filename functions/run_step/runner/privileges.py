"""Drops a process's privileges, changes its user, and hides it from other processes of the same user."""

import ctypes
import os

PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITIES = 64
SECBIT_NOROOT_LOCKED = 0b11

_libc = ctypes.CDLL(None, use_errno=True)


def hide() -> None:
    """Forbid other processes of the same user to read this one's memory and environment, or to trace it."""
    _prctl(PR_SET_DUMPABLE, 0)


def show() -> None:
    """Undo `hide`, in a child that holds nothing secret."""
    _prctl(PR_SET_DUMPABLE, 1)


def adopt_orphans(adopt: bool = True) -> None:
    """Become the parent of every descendant whose own parent ends, instead of process 1."""
    _prctl(PR_SET_CHILD_SUBREAPER, int(adopt))


def become(user: int | None) -> None:
    """Turn into a user (and the group of that number), for good, and gain no privilege by executing a file.

    None stays the user that we are. All capabilities are lost, with the next `exec` at the latest.
    """
    if os.geteuid() == 0:
        for capability in range(CAPABILITIES):
            _prctl(PR_CAPBSET_DROP, capability)
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
        _prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, *arguments: int) -> None:
    # Where the kernel refuses (an old one, or a sandbox), other measures have to do: this is one of several.
    _libc.prctl(option, *(ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]))

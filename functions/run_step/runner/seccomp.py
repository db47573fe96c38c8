"""Refuses system calls that no step needs, and that reach what nobody counts or what all users of a machine share.

In a user namespace of its own, a step could mount file systems in memory that no process holds; a key in a keyring
stays behind when the step has ended. A filter on system calls refuses both to a process and to all that descend from
it, without any privilege. Where the kernel has no such filter, or the machine is of another kind, a step runs without.
"""

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Mapping
from typing import NamedTuple

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
IF_EQUAL = 0x15
IF_AT_LEAST = 0x35
IF_ANY_BIT = 0x45
RETURN = 0x06
ALLOW = 0x7FFF0000
REFUSE = 0x00050000
# Where the kernel puts them for the filter; both kinds of machine store the low half of an argument first.
NUMBER, ARCHITECTURE, FLAGS = 0, 4, 16
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
NAMESPACES = 0x7E020000
# The same number everywhere: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr.
MOUNTING = (428, 429, 430, 431, 432, 433, 442)
CLONE3 = 435
OTHER_ABI = 0x40000000  # the bit that x32 sets; no number of any other is as large


class Machine(NamedTuple):
    """How one kind of machine calls itself and numbers its calls."""

    architecture: int
    cloning: tuple[int, ...]
    """unshare and clone; their first argument says which namespaces are to be new."""
    refused: tuple[int, ...]
    """setns, add_key, request_key, keyctl, mount, umount2 and pivot_root."""


MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(0xC000003E, (272, 56), (308, 248, 249, 250, 165, 166, 155)),
    "aarch64": Machine(0xC00000B7, (97, 220), (268, 217, 218, 219, 40, 39, 41)),
}

_libc = ctypes.CDLL(None, use_errno=True)


def install() -> bool:
    """Refuse these calls from now on, for good; whether the kernel does. It wants NO_NEW_PRIVS to be set."""
    machine = MACHINES.get(platform.machine())
    if machine is None or sys.byteorder != "little":
        return False
    content = program(machine)
    instructions = ctypes.create_string_buffer(content, len(content))
    # struct sock_fprog
    description = struct.pack("HxxxxxxP", len(content) // 8, ctypes.addressof(instructions))
    return bool(_libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), description, 0, 0) == 0)


def program(machine: Machine) -> bytes:
    """The filter, as the kernel reads it: each jump passes over so many instructions if true, so many if not."""
    refuse = _instruction(RETURN, REFUSE | errno.EPERM)
    # The C library takes the older call then, whose flags can be read here; those of clone3 are behind a pointer.
    unknown = _instruction(RETURN, REFUSE | errno.ENOSYS)
    lines = [_instruction(LOAD, ARCHITECTURE), _instruction(IF_EQUAL, machine.architecture, 1, 0), refuse]
    lines += [_instruction(LOAD, NUMBER), _instruction(IF_AT_LEAST, OTHER_ABI, 0, 1), refuse]
    lines += [_instruction(IF_EQUAL, CLONE3, 0, 1), unknown]
    for number in (*machine.refused, *MOUNTING):
        lines += [_instruction(IF_EQUAL, number, 0, 1), refuse]
    for number in machine.cloning:
        lines += [
            _instruction(IF_EQUAL, number, 0, 4),
            _instruction(LOAD, FLAGS),
            _instruction(IF_ANY_BIT, NAMESPACES, 0, 1),
            refuse,
            _instruction(RETURN, ALLOW),
        ]
    return b"".join([*lines, _instruction(RETURN, ALLOW)])


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)

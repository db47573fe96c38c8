"""What steps find on this machine when root starts the stack: an interpreter, temporary files, namespaces.

A step of root's stack becomes a user of its own, who has no way to folders below /root, nor into `.local`, which is
closed to everybody else. So its Python is a copy in a folder of root's that everybody may read, made once for each
version, and its directories are beside it. Steps of an ordinary user are that user, and find what that user finds.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
from typing import Any

PROJECT = pathlib.Path(__file__).resolve().parent.parent
NAMESPACES = PROJECT / "functions" / "run_step" / "runner" / "namespaces.py"
TOP = pathlib.Path("/var/lib/flowserverless")
NOBODY = 65534
# Interpreters are beside the folders of projects, because all projects of this machine can use them.
COPY = "python-"
# What no step imports, most of it large.
LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "ensurepip", "config-*")
LOOK = """
import json, os, sys, sysconfig
base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
base |= {f"installed_{name}": path for name, path in base.items()}
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "program": os.path.realpath(sys.executable),
    "prefix": sys.base_prefix,
    "libraries": sorted({sysconfig.get_path(kind, vars=base) for kind in ("stdlib", "platstdlib")}),
    "shared": [sysconfig.get_config_var("LIBDIR"), sys.base_prefix + "/lib"],
}))
"""
TRY = "import ctypes, hashlib, json, math, select, socket, struct, subprocess, zlib"


class OutOfReach(Exception):
    """Steps could not be given an interpreter that they reach; the message says why."""


def is_needed() -> bool:
    """Whether steps are other users than the one who starts the stack."""
    return os.geteuid() == 0


def place() -> pathlib.Path:
    """The folder of this project that everybody may read and only root may change; it is made if need be."""
    mine = TOP / _digest(str(PROJECT))
    for folder in (TOP, mine):
        try:
            folder.mkdir(mode=0o755)
            folder.chmod(0o755)
        except FileExistsError:
            pass
        except OSError as error:
            raise OutOfReach(f"steps need a folder that their users reach: {error}") from None
        known = folder.lstat()
        if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.geteuid() or known.st_mode & 0o022:
            raise OutOfReach(f"{folder} is not a folder that only root may change")
    return mine


def clear() -> None:
    """Remove all that was made for the steps of this project; the last project takes the interpreters with it."""
    if is_needed():
        shutil.rmtree(place())
        if all(folder.name.startswith(COPY) for folder in TOP.iterdir()):
            shutil.rmtree(TOP)


def temporary(home: pathlib.Path) -> pathlib.Path:
    """The directory for temporary files of the emulator in that home, empty; those of steps are there."""
    folder = place() / f"tmp-{_digest(str(home))}" if is_needed() else home / "tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # Everybody may pass, nobody else may list.
    folder.chmod(0o711)
    return folder


def remove_temporary(home: pathlib.Path) -> None:
    """Remove what is left in such a directory outside of the emulator's home."""
    if is_needed():
        shutil.rmtree(place() / f"tmp-{_digest(str(home))}", ignore_errors=True)


def variables(python: pathlib.Path, *closed: pathlib.Path) -> dict[str, str]:
    """What the function that executes steps has to be told, whose own interpreter is `python`.

    No step sees the project's folder, nor those that are `closed`.
    """
    if not is_needed():
        return {}
    program = interpreter(python)
    libraries = program.parent.parent / "lib"
    return {
        "STEP_PYTHON": str(program),
        "STEP_CLOSED": os.pathsep.join(map(str, (PROJECT, *closed))),
        # The program looks for its own library first where it was built to be.
        **({"LD_LIBRARY_PATH": str(libraries)} if any(libraries.glob("libpython*")) else {}),
    }


def interpreter(python: pathlib.Path) -> pathlib.Path:
    """A copy of an interpreter and its standard library, without packages, that every user of this machine may run."""
    known = json.loads(subprocess.check_output([python, "-I", "-c", LOOK], text=True))
    built = os.stat(known["program"])
    identity = f"{known['program']} {known['libraries']} {built.st_size} {built.st_mtime_ns}"
    copy = place().parent / f"{COPY}{known['version']}-{_digest(identity)}"
    if not copy.exists():
        with tempfile.TemporaryDirectory(prefix="new-", dir=place()) as new:
            folder = pathlib.Path(new) / "python"
            _copy(known, folder)
            _try(folder / "bin" / "python")
            # Somebody else may have been quicker.
            with contextlib.suppress(OSError):
                folder.rename(copy)
    return copy / "bin" / "python"


def open_doors() -> list[str]:
    """What steps of a stack that this user starts can reach though they should not, one sentence each."""
    said = subprocess.check_output([sys.executable, "-I", NAMESPACES], text=True).splitlines()
    if is_needed():
        return said
    return ["a step is you: it can do to your files and other processes what any program of yours can", *said]


def _copy(known: dict[str, Any], folder: pathlib.Path) -> None:
    prefix = pathlib.Path(known["prefix"])
    program = pathlib.Path(known["program"])
    (folder / "bin").mkdir(parents=True)
    shutil.copy2(program, folder / "bin" / program.name)
    for name in {"python", "python3"} - {program.name}:
        (folder / "bin" / name).symlink_to(program.name)
    for library in known["libraries"]:
        target = folder / pathlib.Path(library).relative_to(prefix)
        shutil.copytree(library, target, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
    (folder / "lib").mkdir(exist_ok=True)
    for where in filter(None, known["shared"]):
        for file in glob.glob("libpython*.so.*", root_dir=where):
            shutil.copy2(os.path.join(where, file), folder / "lib" / file)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def _try(program: pathlib.Path) -> None:
    """Run it as somebody who may nothing. Raises OutOfReach if that fails."""
    # Those above it are temporary, and closed until it is in its place.
    program.parent.parent.parent.chmod(0o711)
    tried = subprocess.run(
        [program, "-c", TRY],
        env={"LD_LIBRARY_PATH": str(program.parent.parent / "lib")},
        cwd="/",
        capture_output=True,
        text=True,
        user=NOBODY if os.geteuid() == 0 else None,
        group=NOBODY if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
    )
    if tried.returncode:
        raise OutOfReach(f"the copy of Python for steps does not run: {tried.stderr.strip()[-500:]}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]

"""Which files of a folder go into a package: what linked folders lead to and hidden files too, but no junk.

Nothing stays out silently: what was left out is listed with the reason, and so is what came in from elsewhere.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import stat
from collections.abc import Iterator

MAX_FILES = 20_000
MAX_BYTES = 2 * 1024**3
"""More than any installation takes; a link may lead to a whole disk."""
JUNK = {
    r"\.git|\.hg|\.svn|\.jj": "version control",
    r"__pycache__|\.(pytest|mypy|ruff)_cache|\.hypothesis|\.tox|\.nox|\.venv|\.ipynb_checkpoints": "made anew by tools",
    r"\.DS_Store|\._.*|__MACOSX|\.Spotlight-V100|\.Trashes|\.fseventsd|(eh)?thumbs\.db|desktop\.ini": "a desktop's",
    r"\.idea|\.vscode|\.Rproj\.user|\..*\.sw[op]": "an editor's",
    r"\.ssh|\.aws|\.gnupg|\.netrc|\.env": "may be credentials",
}
MAX_LINK_BYTES = 1024


class TooMuch(Exception):
    """A folder holds more than a package can."""


@dataclasses.dataclass
class Packing:
    """Files by their path in the package, folders with nothing in them, and what people should know.

    That is (path in the folder, what about it).
    """

    files: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)
    folders: list[str] = dataclasses.field(default_factory=list)
    left_out: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    brought_in: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    size: int = 0


def collect(folder: pathlib.Path) -> Packing:
    """What is packed of a folder, in the order of the paths. Raises TooMuch."""
    packing = Packing()
    _walk(folder, "", (os.path.realpath(folder),), packing)
    packing.files = dict(sorted(packing.files.items()))
    return packing


def text(packing: Packing) -> str:
    """What people should know of a packing, a line for each; '' if there is nothing."""
    lines = [f"  left out: {path}: {why}" for path, why in packing.left_out]
    return "\n".join([*lines, *(f"  packed: {path}: {what}" for path, what in packing.brought_in)])


def _walk(folder: pathlib.Path, inside: str, above: tuple[str, ...], packing: Packing) -> None:
    """Add a folder that is at `inside` in the package; `above` are the real paths of it and of those it is in."""
    entries = list(_entries(folder, inside, packing))
    if inside and not entries:
        packing.folders.append(inside)
    for path, place in entries:
        why = _junk(path.name) or _unreadable(path)
        if why:
            packing.left_out.append((_shown(place), why))
            continue
        leads_to = _folder(path)
        if leads_to is None:
            _add(path, place, packing)
        elif os.path.realpath(leads_to) in above:
            packing.left_out.append((_shown(place), "is a link to a folder that it is in"))
        else:
            real = os.path.realpath(leads_to)
            if not any(real.startswith(f"{known.rstrip('/')}/") for known in (above[0], above[-1])):
                packing.brought_in.append((_shown(place), f"a link to {real}"))
            _walk(leads_to, f"{place}/", (*above, real), packing)


def _entries(folder: pathlib.Path, inside: str, packing: Packing) -> Iterator[tuple[pathlib.Path, str]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        packing.left_out.append((_shown(inside), f"cannot be read: {error.strerror}"))
        return
    for name in names:
        yield folder / name, inside + name


def _junk(name: str) -> str | None:
    return next((why for pattern, why in JUNK.items() if re.fullmatch(pattern, name, re.IGNORECASE | re.DOTALL)), None)


def _unreadable(path: pathlib.Path) -> str | None:
    """Why something cannot be packed at all."""
    try:
        str(path.name).encode()
        mode = path.stat().st_mode
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    except OSError as error:
        return "is a link that leads nowhere" if path.is_symlink() else f"cannot be read: {error.strerror}"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "is neither a file nor a folder"
    readable = os.access(path, os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK)
    return None if readable else "cannot be read: Permission denied"


def _folder(path: pathlib.Path) -> pathlib.Path | None:
    """The folder that this is or leads to; None for a file.

    Where git may not make links (`core.symlinks=false`), it writes the path that a link leads to into a file.
    """
    if path.is_dir():
        return path
    if path.is_symlink() or path.stat().st_size > MAX_LINK_BYTES:
        return None
    written = path.read_bytes().decode(errors="replace")
    is_path = written.startswith("../") and written.isprintable()
    return path.parent / written if is_path and (path.parent / written).is_dir() else None


def _add(path: pathlib.Path, place: str, packing: Packing) -> None:
    packing.files[place] = path
    packing.size += path.stat().st_size
    if len(packing.files) > MAX_FILES or packing.size > MAX_BYTES:
        most = f"{MAX_FILES} files or {MAX_BYTES >> 30} GiB"
        raise TooMuch(f"more than {most} are in the folder and what its links lead to; the last is {_shown(place)}")


def _shown(place: str) -> str:
    return place.encode(errors="replace").decode() if place.isprintable() else ascii(place)

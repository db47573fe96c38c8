"""Finds what a step has made: files that are new or changed, wanted and safe to deliver, and what it took away.

Everything found in the run directory is a stranger's. Symbolic links are followed only to what is inside the run
directory, pipes, sockets and devices are ignored, and a name that is no proper relative path is not delivered.
Nothing of the step is alive any more when this looks, so what it sees does not change.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from runner import manifest, paths

MAX_KEY_BYTES = 1024
MAX_NOTES = 20
MAX_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Stamp:
    """What a file looked like before the step; `digest` is the SHA-256 of its content."""

    size: int
    inode: int
    modified: int
    changed: int
    digest: bytes

    def document(self) -> list[int | str]:
        """As JSON, for a container that looks at the files later."""
        return [self.size, self.inode, self.modified, self.changed, self.digest.hex()]

    @classmethod
    def of(cls, document: Sequence[int | str]) -> Self:
        """The stamp that `document` wrote. Raises ValueError for anything else."""
        size, inode, modified, changed, digest = document
        return cls(int(size), int(inode), int(modified), int(changed), bytes.fromhex(str(digest)))


@dataclass(frozen=True)
class Output:
    """A file of the step: its name in the run, where it is, its size in bytes, and what else later steps see of it.

    `modified` is in nanoseconds since 1970.
    """

    path: str
    source: str
    size: int
    executable: bool
    modified: int


@dataclass(frozen=True)
class Harvest:
    """What is to be delivered, why other files are not, and why it is more than allowed (or None).

    `touched` are inputs of which nothing but the content is as it was, `gone` inputs and folders that are not there any
    more, `folders` those in which nothing is. `largest` is the size of the largest file that is new or has another
    size, delivered or not.
    """

    files: tuple[Output, ...] = ()
    notes: tuple[str, ...] = ()
    excess: str | None = None
    largest: int = 0
    touched: tuple[Output, ...] = ()
    gone: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def tree(self) -> dict[str, Any]:
        """What the step did to the run directory, as JSON for the trusted side."""
        written = [[file.path, file.size, file.executable, file.modified] for file in self.files]
        touched = [[file.path, None, file.executable, file.modified] for file in self.touched]
        return {"written": written + touched, "gone": self.gone, "folders": self.folders, "notes": self.notes}


def stamps(directory: str, digests: Mapping[str, bytes]) -> dict[str, Stamp]:
    """The stamps of files in a directory, by path, whose digests are known."""
    found = {}
    for path, digest in digests.items():
        status = os.lstat(os.path.join(directory, path))
        found[path] = Stamp(status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, digest)
    return found


def describe(place: str, given: manifest.Input) -> None:
    """Give an input that was fetched what steps see of it beside its content."""
    os.chmod(place, 0o755 if given.executable else 0o644)
    if given.modified is not None:
        # What a step made of it before may be more than this file system keeps.
        with contextlib.suppress(OSError, OverflowError):
            os.utime(place, ns=(given.modified, given.modified))


def make_directories(directory: str, patterns: Iterable[str]) -> None:
    """Create the directories that declared outputs are to be written to."""
    for pattern in patterns:
        parent = pattern if pattern.endswith("/") else os.path.dirname(pattern)
        if parent and not paths.is_glob(parent):
            with contextlib.suppress(ValueError, FileExistsError, NotADirectoryError):
                os.makedirs(os.path.join(directory, paths.normalise(parent)), exist_ok=True)


def harvest(directory: str, before: Mapping[str, Stamp], order: manifest.StepOrder) -> Harvest:
    """Choose from a run directory what is new or changed and wanted, and see what is not there any more.

    The files come in the order of their names; those beyond the limits are left out. What is gone is told from the
    inputs as the manifest names them, of which nothing is known by the step.
    """
    patterns = None if order.outputs is None else (*order.outputs, *order.always)
    limits, walk = order.limits, Walk(os.path.realpath(directory), patterns, order.limits.files)
    given = {one.path: one for one in order.inputs}
    files: list[Output] = []
    touched: list[Output] = []
    kept: set[str] = set()
    excess = None
    total = largest = 0
    for path, place in walk.files():
        size = os.lstat(place).st_size
        if path not in before or before[path].size != size:
            largest = max(largest, size)
        if not _is_wanted(path, patterns):
            continue
        problem, found = _problem(path, order.upload.key), _output(path, place, walk.root)
        if problem or found is None:
            walk.note(path, problem or "it is no file of the run directory")
            continue
        kept.add(path)
        same = found.source == place and _is_unchanged(found, before.get(path))
        again = same and _is_touched(found, before[path], given.get(path))
        # A result that was written anew is the run's own, though the package may hold the same.
        if same and not (again and _is_wanted(path, order.always)):
            touched += [found] if again else []
        elif total + found.size > limits.output_bytes:
            excess = excess or f"the outputs are larger than {limits.output_bytes} bytes{limits.why('outputBytes')}"
        elif len(files) == limits.files:
            excess = excess or f"there are more than {limits.files} outputs{limits.why('files')}"
        else:
            files.append(found)
            total += found.size
    gone = [path for path, one in given.items() if path not in kept and _is_wanted(path, patterns)]
    # An optional input may never have been there.
    gone = [path for path in gone if path in before or not given[path].optional]
    folders = tuple(walk.empty(kept | (given.keys() - set(gone)), order.upload.key))
    lost = [one for one in order.folders if one not in walk.folders and _is_wanted(one, patterns)]
    return Harvest(tuple(files), walk.notes(), excess, largest, tuple(touched), (*gone, *lost), folders)


class Walk:
    """A way through all that is in a run directory; then `folders` has its folders.

    A link to a folder of the run directory is followed as if the folder was there once more, if anything in it may be
    wanted. Links that lead back to where they are, and what is too much, are not; notes name them.
    """

    def __init__(self, root: str, patterns: Sequence[str] | None, max_files: int) -> None:
        self.root = root
        self.folders: set[str] = set()
        self._patterns = patterns
        self._max_files = max_files
        self._linked = 0
        self._notes: dict[str, str] = {}

    def files(self) -> Iterator[tuple[str, str]]:
        """Every entry that is no folder: its relative path and where it is."""
        # A folder, where it really is, the real folders above it, and whether a link led there.
        pending: list[tuple[str, str, tuple[str, ...], bool]] = [("", self.root, (self.root,), False)]
        while pending:
            parent, place, chain, linked = pending.pop()
            if linked and self._linked > self._max_files:
                self.note(parent, f"links to folders lead to more than {self._max_files} files")
                continue
            inside = []
            for entry in _entries(place):
                path = f"{parent}{entry.name}"
                self._linked += linked
                if entry.is_symlink():
                    target = self._followed(entry.path, path, chain)
                else:
                    target = entry.path if entry.is_dir(follow_symlinks=False) else None
                if target is None:
                    yield path, entry.path
                elif target and len(os.fsencode(path)) < MAX_KEY_BYTES:
                    self.folders.add(path)
                    inside.append((f"{path}/", target, (*chain, target), linked or entry.is_symlink()))
                elif target:
                    self.note(path, "its name is too long")
            pending += reversed(inside)

    def note(self, path: str, reason: str) -> None:
        """Name something that is not delivered."""
        self._notes[path] = reason

    def notes(self) -> tuple[str, ...]:
        """What is not delivered and why, one line each; of many only how many more there are."""
        lines = [f"{_shown(path)} was not delivered: {reason}" for path, reason in self._notes.items()]
        if len(lines) > MAX_NOTES:
            lines[MAX_NOTES:] = [f"... and {len(lines) - MAX_NOTES} more files were not delivered"]
        return tuple(lines)

    def empty(self, kept: Iterable[str], prefix: str) -> Iterator[str]:
        """The folders that would be missed: nothing that is kept is in them, nor another of them."""
        occupied, noted = _folders_of(kept), _folders_of(self._notes)
        count = 0
        # In this order, what is in a folder comes before it.
        for folder in sorted(self.folders, reverse=True):
            if folder in occupied or not _leads(folder, self._patterns):
                continue
            problem = _problem(folder, prefix)
            if problem is None and count == self._max_files:
                problem = f"there are more than {self._max_files} empty folders"
            if problem is None:
                count += 1
                occupied |= _folders_of([folder])
                yield folder
            elif folder not in noted:
                self.note(f"{folder}/", problem)

    def _followed(self, place: str, path: str, chain: tuple[str, ...]) -> str | None:
        """The folder that a link leads to; "" for a link that is not followed, None for one to anything else."""
        if not _leads(path, self._patterns):
            return ""
        try:
            target = os.path.realpath(place, strict=True)
            if os.path.commonpath((target, self.root)) == self.root:
                if target in chain:
                    self.note(path, "it leads back to a folder that it is in")
                    return ""
                return target if os.path.isdir(target) else None
        except OSError:
            # It leads to itself, or to nothing.
            pass
        self.note(path, "it is no file of the run directory")
        return ""


def _folders_of(found: Iterable[str]) -> set[str]:
    return {path[:index] for path in found for index, letter in enumerate(path) if letter == "/"}


def _leads(path: str, patterns: Sequence[str] | None) -> bool:
    """Whether a path, or anything that may be below it, is wanted."""
    if paths.reserved(path):
        return False
    return patterns is None or any(paths.leads_to(pattern, path) for pattern in patterns)


def _shown(path: str) -> str:
    text = repr(path)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}..."


def _entries(directory: str) -> list[os.DirEntry[str]]:
    # A directory may be listed without the right to pass through it.
    if os.lstat(directory).st_mode & 0o700 != 0o700:
        os.chmod(directory, 0o700)
    with os.scandir(directory) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_wanted(path: str, patterns: Sequence[str] | None) -> bool:
    if paths.reserved(path):
        return False
    return patterns is None or any(paths.matches(pattern, path) for pattern in patterns)


def _problem(path: str, prefix: str) -> str | None:
    """Why a path cannot be the name of an object in the store."""
    try:
        if paths.normalise(path) != path:
            return "a path must be in its simplest form"
        if "${filename}" in path:
            return "the store would replace ${filename}"
        return "its name is too long" if len((prefix + path).encode()) > MAX_KEY_BYTES else None
    except ValueError as error:
        return str(error)


def _output(path: str, place: str, root: str) -> Output | None:
    """The regular file that an entry is, or that it links to within the run directory."""
    try:
        if stat.S_ISLNK(os.lstat(place).st_mode):
            place = os.path.realpath(place, strict=True)
            if os.path.commonpath((place, root)) != root:
                return None
        status = os.lstat(place)
        if not stat.S_ISREG(status.st_mode):
            return None
        if not status.st_mode & stat.S_IRUSR:
            os.chmod(place, 0o600)
        return Output(path, place, status.st_size, bool(status.st_mode & stat.S_IXUSR), status.st_mtime_ns)
    except OSError:
        return None


def _is_unchanged(file: Output, before: Stamp | None) -> bool:
    if before is None or file.size != before.size:
        return False
    status = os.lstat(file.source)
    if (status.st_ino, status.st_mtime_ns, status.st_ctime_ns) == (before.inode, before.modified, before.changed):
        return True
    with open(file.source, "rb") as content:
        return hashlib.file_digest(content, "sha256").digest() == before.digest


def _is_touched(file: Output, before: Stamp, given: manifest.Input | None) -> bool:
    return file.modified != before.modified or (given is not None and file.executable != given.executable)

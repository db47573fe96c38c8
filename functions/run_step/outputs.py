"""What a step has made: the files that are new or changed, wanted and safe to deliver.

Everything found in the run directory is a stranger's. Symbolic links are followed only to files inside the run
directory, pipes, sockets and devices are ignored, and a name that is no proper relative path is not delivered.
Nothing of the step is alive any more when this looks, so what it sees does not change.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import manifests
import paths

KEY_BYTES = 1024
MOST_NOTES = 20


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
    """A file to deliver: its name in the run, where it is, its size in bytes."""

    path: str
    source: str
    size: int


@dataclass(frozen=True)
class Harvest:
    """What is to be delivered, why other files are not, and why it is more than allowed (or None).

    `largest` is the size of the largest file that is new or has another size, delivered or not.
    """

    files: tuple[Output, ...] = ()
    notes: tuple[str, ...] = ()
    excess: str | None = None
    largest: int = 0


def stamps(directory: str, digests: Mapping[str, bytes]) -> dict[str, Stamp]:
    """The stamps of files in a directory, by path, whose digests are known."""
    found = {}
    for path, digest in digests.items():
        status = os.lstat(os.path.join(directory, path))
        found[path] = Stamp(status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, digest)
    return found


def make_directories(directory: str, patterns: Iterable[str]) -> None:
    """Create the directories that declared outputs are to be written to."""
    for pattern in patterns:
        parent = pattern if pattern.endswith("/") else os.path.dirname(pattern)
        if parent and not paths.is_glob(parent):
            with contextlib.suppress(ValueError, FileExistsError, NotADirectoryError):
                os.makedirs(os.path.join(directory, paths.normalise(parent)), exist_ok=True)


def harvest(
    directory: str,
    before: Mapping[str, Stamp],
    wanted: Sequence[str] | None,
    always: Sequence[str],
    prefix: str,
    limits: manifests.Limits,
) -> Harvest:
    """Choose from a run directory what is new or changed and matches a pattern (None: everything).

    `prefix` is what the store puts before each path; the two together must fit into a key. The files come in the
    order of their names; those beyond the limits are left out.
    """
    patterns = None if wanted is None else (*wanted, *always)
    root = os.path.realpath(directory)
    files: list[Output] = []
    notes: list[str] = []
    excess = None
    total = largest = 0
    for path, place in _walk(root, notes):
        size = os.lstat(place).st_size
        if path not in before or before[path].size != size:
            largest = max(largest, size)
        if not _is_wanted(path, patterns):
            continue
        problem, source = _problem(path, prefix), _source(place, root)
        if problem or source is None:
            notes.append(f"{path!r} was not delivered: {problem or 'it is no file of the run directory'}")
            continue
        size = os.lstat(source).st_size
        if source == place and _is_unchanged(source, before.get(path)):
            continue
        if total + size > limits.output_bytes:
            excess = excess or f"the outputs are larger than {limits.output_bytes} bytes"
        elif len(files) == limits.files:
            excess = excess or f"there are more than {limits.files} outputs"
        else:
            files.append(Output(path, source, size))
            total += size
    if len(notes) > MOST_NOTES:
        notes[MOST_NOTES:] = [f"... and {len(notes) - MOST_NOTES} more files were not delivered"]
    return Harvest(tuple(files), tuple(notes), excess, largest)


def _walk(root: str, notes: list[str]) -> Iterator[tuple[str, str]]:
    """Every entry below a directory that is no directory: its relative path and where it is."""
    pending = [""]
    while pending:
        parent = pending.pop()
        directories = []
        for entry in _entries(os.path.join(root, parent)):
            path = f"{parent}{entry.name}"
            if not entry.is_dir(follow_symlinks=False):
                yield path, entry.path
            elif len(os.fsencode(path)) < KEY_BYTES:
                directories.append(f"{path}/")
            else:
                notes.append(f"{path[:60]!r}... was not delivered: its name is too long")
        pending += reversed(directories)


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
        return "its name is too long" if len((prefix + path).encode()) > KEY_BYTES else None
    except ValueError as error:
        return str(error)


def _source(path: str, root: str) -> str | None:
    """The regular file that an entry is, or that it links to within the run directory."""
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            path = os.path.realpath(path, strict=True)
            if os.path.commonpath((path, root)) != root:
                return None
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return None
        if not status.st_mode & stat.S_IRUSR:
            os.chmod(path, 0o600)
        return path
    except OSError:
        return None


def _is_unchanged(path: str, before: Stamp | None) -> bool:
    if before is None:
        return False
    status = os.lstat(path)
    if status.st_size != before.size:
        return False
    if (status.st_ino, status.st_mtime_ns, status.st_ctime_ns) == (before.inode, before.modified, before.changed):
        return True
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest() == before.digest

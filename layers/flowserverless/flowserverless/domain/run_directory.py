"""The directory of a run as a state: what it begins with, and what each step made of it.

A step's runner writes one document, the step's tree: which of the files that the step was given are gone, what it
wrote, which folders it left empty. Whoever wants to know what a later step finds, or what the run has come to, applies
one tree after the other. Nothing is believed that the step may not have done: step_outputs.py decides that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from flowserverless.domain import frozen, paths, step_outputs

# A step writes some thousand files at most; each is a line with a path of at most 900 bytes.
MAX_BYTES = 64 << 20
MAX_NOTES = 100
MAX_NOTE_LENGTH = 300
# Moments are nanoseconds since 1970; file systems keep no others than these.
LATEST = 1 << 62


@frozen.dataclass
class File:
    """A file of the directory: the key of its content, its size if that is known, and what else steps see of it."""

    key: str
    size: int | None
    executable: bool = False
    modified: int | None = None


@frozen.dataclass
class Directory:
    """Files by path, and the folders that would not be there for the sake of a file.

    `notes` name what was not delivered, `lost` when files were last taken back.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    lost: Mapping[str, float] = field(default_factory=dict)


@frozen.dataclass
class Stored:
    """What the store has of a file: its size in bytes, and when it was written."""

    size: int
    at: float


@frozen.dataclass
class Written:
    """A file after a step; without `size` its content is as it was."""

    size: int | None
    executable: bool
    modified: int


@frozen.dataclass
class Tree:
    """What one step did to the directory, told at the moment `at`; `notes` name what was not delivered."""

    written: Mapping[str, Written] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    at: float = 0


@frozen.dataclass
class Step:
    """A step that was begun: the patterns of what it may write (None: everything), and its tree if there is one."""

    patterns: Sequence[str] | None
    tree: Tree | None

    def may(self, path: str) -> bool:
        """Whether the step may write, and so delete, a file or folder."""
        return step_outputs.may_write(self.patterns, path)

    def may_leave(self, folder: str) -> bool:
        """Whether the step may leave a folder: all that could be in it would be its own."""
        return step_outputs.may_leave(self.patterns, folder)


def parse(document: object, at: float) -> Tree | None:
    """The tree that a runner wrote at a moment; None for anything else, which only somebody else can have written."""
    try:
        return _parse(document, at)
    except (ValueError, TypeError, KeyError):
        return None


def _parse(document: Any, at: float) -> Tree:
    return Tree(
        {paths.normalise(path): _written(*rest) for path, *rest in document["written"]},
        tuple(paths.normalise(path) for path in document["gone"]),
        tuple(paths.normalise(path) for path in document["folders"]),
        tuple(str(note)[:MAX_NOTE_LENGTH] for note in document["notes"][:MAX_NOTES]),
        at,
    )


def _written(size: Any, executable: Any, modified: Any) -> Written:
    return Written(None if size is None else int(size), executable is True, max(-LATEST, min(int(modified), LATEST)))


def after(
    begun: Directory, steps: Iterable[Step], key: Callable[[str], str], stored: Callable[[], Mapping[str, Stored]]
) -> Directory:
    """The directory after some steps, the first of which found it as `begun`; `key` is where a written file is.

    Of a step without a tree (it did not come to its end) nothing is known but what there is in the store: `stored`, by
    path. All of that is there, but for what steps before had taken back, so that nothing is lost.
    """
    now = begun
    for step in steps:
        now = _apply(now, step.tree, step, key) if step.tree else with_stored(now, key, stored())
    return now


def with_stored(now: Directory, key: Callable[[str], str], stored: Mapping[str, Stored]) -> Directory:
    """The directory with everything that was ever written, and not taken back since."""
    found = {
        path: replace(now.files.get(path) or File("", None), key=key(path), size=file.size)
        for path, file in stored.items()
        if path not in now.lost or file.at > now.lost[path]
    }
    return replace(now, files={**now.files, **found})


def _apply(now: Directory, tree: Tree, step: Step, key: Callable[[str], str]) -> Directory:
    gone = {path for path in tree.gone if step.may(path)}
    files = {path: file for path, file in now.files.items() if path not in gone}
    notes = [*now.notes, *tree.notes]
    taken = _folders_of(files)
    for path, written in tree.written.items():
        if not step.may(path):
            continue
        if written.size is None:
            if path in files:
                files[path] = replace(files[path], executable=written.executable, modified=written.modified)
            continue
        # Only what the step was not given can be in the way; it is as if the step had written over it.
        blocking = [above for above in _above(path) if above in files]
        blocking += [other for other in files if other.startswith(f"{path}/")] if path in taken else []
        if not all(map(step.may, blocking)):
            notes.append(f"{path!r}"[:MAX_NOTE_LENGTH] + " was not kept: what the step may not write is in its place")
            gone.add(path)
            continue
        for other in blocking:
            del files[other]
            gone.add(other)
        files[path] = File(key(path), written.size, written.executable, written.modified)
        taken.update(_above(path))
    folders = {folder for folder in now.folders if folder not in gone}
    folders.update(folder for folder in tree.folders if step.may_leave(folder))
    kept = (one for one in folders if one not in files and not any(above in files for above in _above(one)))
    lost = {**now.lost, **dict.fromkeys(gone, tree.at)}
    return Directory(files, frozenset(kept), tuple(notes[:MAX_NOTES]), lost)


def _folders_of(files: Iterable[str]) -> set[str]:
    return {above for path in files for above in _above(path)}


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in."""
    return (path[:index] for index, letter in enumerate(path) if letter == "/")

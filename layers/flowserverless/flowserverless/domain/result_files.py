"""Which of the files that a run left are its results, under which name, on which page, and which are missing."""

import json
import mimetypes
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from flowserverless.domain import ids, paths, runs
from flowserverless.domain.templates import templates

PAGE_FILES = 100
# A page is kept in an item of the table (400 KB); the first one stands in the run's own, with everything else.
PAGE_BYTES = 200_000
FIRST_PAGE_BYTES = 60_000


@dataclass(frozen=True)
class Collected:
    """Result files in the order of their declaration, and the declarations that nothing answers to."""

    files: tuple[runs.ResultFile, ...]
    missing: tuple[str, ...] = ()


def deliverable(stored: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sizes by path of what steps left, without names that only a forged upload can have made.

    S3 takes `a/../b` as it is. What lies in the runner's own directory is no file of the run, whoever put it there.
    """
    return {path: size for path, size in stored if _is_normal(path) and not paths.reserved(path)}


def _is_normal(path: str) -> bool:
    try:
        return paths.normalise(path) == path
    except ValueError:
        return False


def missing(template: templates.Template, stored: Iterable[str]) -> tuple[str, ...]:
    """What a run of this workflow has to leave and is not there: declared outputs, and what post-processing reads."""
    there = set(stored)
    _, unmatched = paths.match_outputs(template.kept, there)
    read_later = template.ranked_files.values()
    return tuple(dict.fromkeys([*unmatched, *(path for path in read_later if path not in there)]))


def declared(specs: Sequence[templates.OutputSpec], patterns: Sequence[str], stored: Mapping[str, int]) -> Collected:
    """The results of a successful run: the template's outputs, else the workflow's files, else everything.

    A declaration that names one file gives it its key; one that matches several (a directory, a glob)
    keeps their paths as names.
    """
    if not specs:
        specs = [templates.OutputSpec(source=pattern, key=pattern) for pattern in patterns]
    if not specs:
        return Collected(tuple(_plain(path, size) for path, size in sorted(stored.items())))
    matched, unmatched = paths.match_outputs([spec.source for spec in specs], stored)
    found: dict[str, runs.ResultFile] = {}
    for spec in specs:
        for path in matched[spec.source]:
            name = spec.key if path == spec.source else path
            found.setdefault(path, _described(spec, name, path, stored[path]))
    return Collected(tuple(found.values()), tuple(unmatched))


def left(specs: Sequence[templates.OutputSpec], stored: Mapping[str, int]) -> Collected:
    """Everything that a run left which did not succeed."""
    by_source = {spec.source: spec for spec in specs}
    found = (
        _described(by_source[path], by_source[path].key, path, size) if path in by_source else _plain(path, size)
        for path, size in sorted(stored.items())
    )
    return Collected(tuple(found))


def media_type(path: str) -> str:
    """The media type of a file, as far as its name tells it."""
    # A compressed file is not of the type of what is in it: browsers would believe that and show garbage.
    guessed, encoding = mimetypes.guess_type(path, strict=False)
    known = "application/gzip" if encoding == "gzip" else None if encoding else guessed
    return known or "application/octet-stream"


def _plain(path: str, size: int) -> runs.ResultFile:
    return runs.ResultFile(id="", name=path, path=path, size=size, media_type=media_type(path))


def _described(spec: templates.OutputSpec, name: str, path: str, size: int) -> runs.ResultFile:
    return replace(
        _plain(path, size),
        name=name,
        title=spec.title,
        caption=spec.caption,
        format=spec.format,
        widget=spec.widget,
    )


def pages(run_id: str, files: Iterable[runs.ResultFile]) -> list[tuple[runs.ResultFile, ...]]:
    """The files with their ids, in pages that fit into items of the table; the first page may be empty.

    An id ends with a number from which page (`number // PAGE_FILES`) and place on it can be read off, so that a file
    is found without a look at the others. Where long names or descriptions make a page shorter, numbers are left out.
    It begins as the run's id does, because a workflow shows one post-processing run after the other under the same
    URLs: whoever has the id of an older file gets no other file for it.
    """
    mark = run_id[: ids.MARK]
    found: list[list[runs.ResultFile]] = [[]]
    room = FIRST_PAGE_BYTES
    for file in files:
        size = len(json.dumps(asdict(file)))
        first = len(found) == 1
        if len(found[-1]) == PAGE_FILES or (size > room and (first or found[-1])):
            found.append([])
            room = PAGE_BYTES
        number = (len(found) - 1) * PAGE_FILES + len(found[-1])
        found[-1].append(replace(file, id=f"{mark}-{number:06d}"))
        room -= size
    return [tuple(page) for page in found]


def place(file_id: str) -> tuple[int, int] | None:
    """Page and place on it that an id leads to, where the file has that id if there is one; None for no id."""
    number = file_id.rpartition("-")[2]
    return divmod(int(number), PAGE_FILES) if number.isascii() and number.isdigit() and len(number) <= 9 else None


def saved_as(file: runs.ResultFile) -> str:
    """The name under which a file is saved: the end of its name, with the extension that the step gave it."""
    name = posixpath.basename(file.name.rstrip("/")) or posixpath.basename(file.path)
    return name if posixpath.splitext(name)[1] else name + posixpath.splitext(file.path)[1]

"""Which of the files that a run left are its results, under which name, and which are missing."""

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flowserverless.domain import paths, runs, templates


@dataclass(frozen=True)
class Collected:
    """Result files in the order of their declaration, and the declarations that nothing answers to."""

    files: tuple[runs.ResultFile, ...]
    missing: tuple[str, ...] = ()


def deliverable(stored: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sizes by path, without names that only a forged upload can have made (S3 takes `a/../b` as it is)."""
    return {path: size for path, size in stored if _is_normal(path)}


def visible(stored: Iterable[tuple[str, int]]) -> dict[str, int]:
    """As `deliverable`, without the cage's own notes between steps, such as the values of code steps."""
    return {path: size for path, size in deliverable(stored).items() if not paths.reserved(path)}


def _is_normal(path: str) -> bool:
    try:
        return paths.normalise(path) == path
    except ValueError:
        return False


def declared(specs: Sequence[templates.OutputSpec], patterns: Sequence[str], stored: Mapping[str, int]) -> Collected:
    """The results of a successful run: the template's outputs, else the workflow's files, else everything.

    A declaration that names one file gives it its key; one that matches several (a directory, a glob)
    keeps their paths as names.
    """
    if not specs:
        specs = [templates.OutputSpec(source=pattern, key=pattern) for pattern in patterns]
    if not specs:
        return Collected(tuple(_numbered(_plain(path, size) for path, size in sorted(stored.items()))))
    matched, missing = paths.match_outputs([spec.source for spec in specs], stored)
    found: dict[str, runs.ResultFile] = {}
    for spec in specs:
        for path in matched[spec.source]:
            name = spec.key if path == spec.source else path
            found.setdefault(path, _described(spec, name, path, stored[path]))
    return Collected(tuple(_numbered(found.values())), tuple(missing))


def left(specs: Sequence[templates.OutputSpec], stored: Mapping[str, int]) -> Collected:
    """Everything that a run left which did not succeed."""
    by_source = {spec.source: spec for spec in specs}
    found = (
        _described(by_source[path], by_source[path].key, path, size) if path in by_source else _plain(path, size)
        for path, size in sorted(stored.items())
    )
    return Collected(tuple(_numbered(found)))


def _plain(path: str, size: int) -> runs.ResultFile:
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return runs.ResultFile(id="", name=path, path=path, size=size, media_type=media_type)


def _described(spec: templates.OutputSpec, name: str, path: str, size: int) -> runs.ResultFile:
    return replace(
        _plain(path, size),
        name=name,
        title=spec.title,
        caption=spec.caption,
        format=spec.format,
        widget=spec.widget,
    )


def _numbered(files: Iterable[runs.ResultFile]) -> Iterable[runs.ResultFile]:
    # The number leads to the page of the listing that holds the file, without a look at S3.
    return (replace(file, id=f"{number:06d}") for number, file in enumerate(files))

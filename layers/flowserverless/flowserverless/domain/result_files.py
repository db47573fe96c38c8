"""Finds the result files among the files that a run left, and says which declared ones are missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from flowserverless.domain import frozen, kept_files, paths, runs
from flowserverless.domain.templates import templates


@frozen.dataclass
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


def _plain(path: str, size: int) -> runs.ResultFile:
    return runs.ResultFile(id="", name=path, path=path, size=size, media_type=kept_files.media_type(path))


def _described(spec: templates.OutputSpec, name: str, path: str, size: int) -> runs.ResultFile:
    return replace(
        _plain(path, size),
        name=name,
        title=spec.title,
        caption=spec.caption,
        format=spec.format,
        widget=spec.widget,
    )

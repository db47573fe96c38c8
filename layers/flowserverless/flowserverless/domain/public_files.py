"""The files of a package that anybody may download: what participants need before they can take part."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping

from flowserverless.domain import errors, frozen, paths, validation

# Paths that a URL shows as they are; the slash is a colon there, so that an id is one part of a path.
READABLE = re.compile(r"[A-Za-z0-9._/-]{1,100}")
# What a public file is hardly meant to be.
SECRET = re.compile(r"label|solution|truth|answer|secret|hidden|private|password|credential|gold", re.IGNORECASE)


@frozen.dataclass
class Pattern:
    """What an organiser declared to be public, and where."""

    at: str
    text: str


def identifier(path: str) -> str:
    """The id of a public file: the same for a path in every version, so that links go on to lead to it."""
    if READABLE.fullmatch(path):
        return path.replace("/", ":")
    return hashlib.sha256(path.encode()).hexdigest()[:32]


def chosen(
    patterns: Iterable[Pattern], members: Collection[str], targets: Mapping[str, str], found: list[validation.Fault]
) -> dict[str, str]:
    """The public files: the path that each is known by -> the member of the package.

    A pattern means paths of the package, or if it matches none of them, paths of the run directory (`targets`: path ->
    member). One that means nothing is a fault.
    """
    public: dict[str, str] = {}
    for pattern in patterns:
        meant = {path: path for path in members if paths.matches(pattern.text, path)}
        meant = meant or {path: member for path, member in targets.items() if paths.matches(pattern.text, path)}
        if not meant:
            found.append(
                validation.Fault(pattern.at, f"{validation.shown(pattern.text)} matches no file of the package")
            )
        public |= {path: member for path, member in meant.items() if member not in public.values()}
    return dict(sorted(public.items()))


def doubts(patterns: Iterable[Pattern], public: Iterable[str]) -> Iterable[validation.Fault]:
    """Public files whose names say that they are none."""
    listed = [path for path in public if SECRET.search(path)]
    for pattern in patterns:
        told = next((path for path in listed if paths.matches(pattern.text, path)), None)
        if told:
            yield validation.Fault(pattern.at, f"lets anybody download {validation.shown(told)}: is that no solution?")


def named(listed: Iterable[Iterable[object]], file_id: str) -> str:
    """The path of the public file with this id, of a version's list of paths and sizes. Raises NotFound."""
    for path, _ in listed:
        if identifier(str(path)) == file_id:
            return str(path)
    raise errors.NotFound(f"the workflow has no public file '{validation.clipped(file_id)}'")

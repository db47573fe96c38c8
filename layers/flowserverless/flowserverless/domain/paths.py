"""Where files may be: relative POSIX paths that stay inside the directory of a run, and patterns over them.

Paths come from strangers (packages, arguments, what steps wrote), so nothing else in the project trusts one
that did not pass through here.
"""

import posixpath
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

# An S3 key has at most 1024 bytes; what is left goes to prefixes such as `workflows/{id}/{version}/static/`.
MAX_LENGTH = 900
# Linux refuses longer names (NAME_MAX), so such a file could be stored and never be staged.
MAX_NAME_LENGTH = 255
# Never a place for files of a run: what steps hand on beside files is not kept in the run directory.
RESERVED = ".flowserverless"
_Part = TypeVar("_Part")
_Item = TypeVar("_Item")


def normalise(path: str) -> str:
    """The one spelling of a path in the run directory: no `.`, no `..`, no doubled or trailing slashes.

    Raises ValueError for whatever is not a path below the run directory on every file system: absolute paths, paths
    that climb out, backslashes, control characters, texts that are not Unicode, and names that are too long.
    """
    if not isinstance(path, str):
        raise ValueError("a path must be a text")
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise ValueError("a path must be valid Unicode") from None
    if size > MAX_LENGTH:
        raise ValueError(f"a path has at most {MAX_LENGTH} bytes")
    if "\\" in path:
        raise ValueError("a path is separated by '/', not by '\\'")
    if any(unicodedata.category(letter) == "Cc" for letter in path):
        raise ValueError("a path has no control characters")
    if path.startswith("/"):
        raise ValueError("a path must be relative to the run directory")
    normal = posixpath.normpath(path) if path else ""
    if not normal.strip():
        raise ValueError("a path must not be empty")
    if normal == "." or normal == ".." or normal.startswith("../"):
        raise ValueError("a path must stay inside the run directory")
    if any(len(name.encode()) > MAX_NAME_LENGTH for name in normal.split("/")):
        raise ValueError(f"a file name has at most {MAX_NAME_LENGTH} bytes")
    return normal


def placeable(path: str) -> str:
    """The normal spelling of a path at which strangers may put a file; ValueError where they may not."""
    normal = normalise(path)
    if path.endswith("/"):
        raise ValueError("a path ending in '/' is a directory, not a file")
    if normal.startswith("-"):
        raise ValueError("a path starting with '-' is taken for an option by programs")
    if reserved(normal):
        raise ValueError(f"{RESERVED} is reserved")
    return normal


def pattern(text: str) -> str:
    """The normal spelling of a file, directory (`dir/`) or glob; raises ValueError as `normalise` does."""
    return normalise(text) + ("/" if text.endswith("/") else "")


def reserved(path: str) -> bool:
    """Whether the normalised path is kept free of files: nothing there is ever delivered, listed or staged."""
    return path.split("/", 1)[0] == RESERVED


def conflict(one: str, other: str) -> bool:
    """Whether two normalised paths cannot both be files: equal, or one is a directory of the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def is_glob(text: str) -> bool:
    """Whether a pattern stands for names that are only known when the files are."""
    return any(letter in text for letter in "*?[")


def matches(pattern: str, path: str) -> bool:
    """Whether a normalised path is meant by a pattern as the organiser wrote it.

    A name means that file, or everything below it if it is a directory; `name/` only the latter. In a glob
    `*`, `?` and `[a-z]` stay within one name, and `**` stands for any number of directories. A file is always
    matched by its own name, whatever characters it has. Nothing means the reserved directory.
    """
    if reserved(path):
        return False
    if pattern == path or (not is_glob(pattern) and path.startswith(f"{pattern.rstrip('/')}/")):
        return True
    parts = pattern.rstrip("/").split("/")
    if pattern.endswith("/") or parts[-1] == "**":
        parts += ["**", "*"]
    return _glob(parts, path.split("/"))


def leads_to(pattern: str, folder: str) -> bool:
    """Whether a pattern means a folder, or what may be in it."""
    if reserved(folder):
        return False
    if matches(pattern, folder) or pattern.startswith(f"{folder}/"):
        return True
    parts, names = pattern.rstrip("/").split("/"), folder.split("/")
    depth = parts.index("**") if "**" in parts else len(parts)
    # Behind `**` anything may follow; before it, each part of the pattern stands for one name.
    return (depth < len(parts) or depth >= len(names)) and _glob(parts[:depth][: len(names)], names[:depth])


def match_outputs(patterns: Iterable[str], paths: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The paths that each pattern means, sorted, and the patterns that mean none of them."""
    known = sorted(paths)
    matched = {each: [path for path in known if matches(each, path)] for each in patterns}
    return matched, [each for each, found in matched.items() if not found]


def _glob(parts: Sequence[str], names: Sequence[str]) -> bool:
    return _wild(parts, names, "**", lambda part, name: _wild(_letters(part), name, "*", _letter_matches))


def _wild(parts: Sequence[_Part], items: Sequence[_Item], star: _Part, same: Callable[[_Part, _Item], bool]) -> bool:
    """Match with one wildcard for any number of items, going back to the last one only.

    Patterns and names both come from strangers; a regular expression could be made to run for ever on them.
    """
    part = item = 0
    retry: tuple[int, int] | None = None
    while item < len(items):
        if part < len(parts) and parts[part] == star:
            part += 1
            retry = (part, item)
        elif part < len(parts) and same(parts[part], items[item]):
            part, item = part + 1, item + 1
        elif retry:
            part, item = retry[0], retry[1] + 1
            retry = (part, item)
        else:
            return False
    return all(rest == star for rest in parts[part:])


def _letters(part: str) -> list[str]:
    """Split one name of a glob into letters and classes such as `[a-z]`; an unclosed bracket is a letter."""
    letters: list[str] = []
    start = 0
    while start < len(part):
        # As in a shell, a closing bracket directly after the opening one is a member of the class.
        first = start + (2 if part[start + 1 : start + 2] in ("!", "^") else 1)
        end = part.find("]", first + 1) if part[start] == "[" else -1
        end = start if end < 0 else end
        letters.append(part[start : end + 1])
        start = end + 1
    return letters


def _letter_matches(wanted: str, letter: str) -> bool:
    if wanted == "?" or wanted == letter:
        return True
    if len(wanted) < 3:
        return False
    negated = wanted[1] in "!^"
    members = wanted[2:-1] if negated else wanted[1:-1]
    return negated != _in_class(members, letter)


def _in_class(members: str, letter: str) -> bool:
    start = 0
    while start < len(members):
        if members[start + 1 : start + 2] == "-" and start + 2 < len(members):
            if members[start] <= letter <= members[start + 2]:
                return True
            start += 3
        else:
            if members[start] == letter:
                return True
            start += 1
    return False

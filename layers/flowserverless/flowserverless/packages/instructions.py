"""Reads a package's instructions, with the files that they include."""

import posixpath
import re

from flowserverless.domain import paths, validation
from flowserverless.packages import manifest, zipfiles

# In characters, of the instructions with everything that they include.
MAX_LENGTH = 100_000
MAX_INCLUDES = 50


def read(manifest: manifest.Manifest, contents: zipfiles.Contents, found: list[validation.Fault]) -> str | None:
    if manifest.instructions is None:
        return None
    try:
        return _Text(contents, found).text(manifest.instructions)
    except ValueError as error:
        found.append(validation.Fault(manifest.instructions, str(error)))
        return None


class _Text:
    """Instructions, with each `{{file}}` replaced by that file, which is relative to the including one."""

    def __init__(self, contents: zipfiles.Contents, found: list[validation.Fault]) -> None:
        self._contents = contents
        self._found = found
        self._open: list[str] = []
        self._includes = 0
        self._length = 0

    def text(self, path: str) -> str:
        """The text of a file; raises ValueError if it cannot be had. What it includes in vain is noted."""
        if path in self._open:
            raise ValueError("includes itself")
        try:
            text = self._contents.read(path, MAX_LENGTH).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError("is not a text in UTF-8") from None
        self._length += len(text)
        if "\0" in text or self._length > MAX_LENGTH:
            raise ValueError(f"makes instructions with NUL or of more than {MAX_LENGTH} characters")
        self._open.append(path)
        replaced = re.sub(r"\{\{([^{}\n]*)\}\}", lambda include: self._included(include, path), text)
        self._open.pop()
        return replaced.strip()

    def _included(self, include: re.Match[str], path: str) -> str:
        self._includes += 1
        try:
            if self._includes > MAX_INCLUDES:
                raise ValueError(f"is one of more than {MAX_INCLUDES} includes")
            return self.text(paths.normalise(posixpath.join(posixpath.dirname(path), include[1].strip())))
        except ValueError as error:
            line = include.string.count("\n", 0, include.start()) + 1
            self._found.append(validation.Fault(f"{path}:{line}", f"{validation.shown(include[0])} {error}"))
            return ""

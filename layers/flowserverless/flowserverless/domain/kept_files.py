"""What is known of a kept file: on which page it stands, its id, its media type, the name it is saved under."""

import json
import mimetypes
import posixpath
from collections.abc import Iterable
from dataclasses import asdict, replace

from flowserverless.domain import ids, runs

PAGE_FILES = 100
# A page is kept in an item of the table (400 KB); the first one stands in the run's own, with everything else.
PAGE_BYTES = 200_000
FIRST_PAGE_BYTES = 60_000


def media_type(path: str) -> str:
    """The media type of a file, as far as its name tells it."""
    # A compressed file is not of the type of what is in it: browsers would believe that and show garbage.
    guessed, encoding = mimetypes.guess_type(path, strict=False)
    known = "application/gzip" if encoding == "gzip" else None if encoding else guessed
    return known or "application/octet-stream"


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

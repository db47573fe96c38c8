"""Identifiers: what they look like, and what can be read off them without asking the table."""

import re
from dataclasses import dataclass

from flowserverless.domain import errors

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NAME = re.compile(r"[a-zA-Z0-9_]{1,32}")
_ULID = re.compile(rf"[{CROCKFORD}]{{26}}")


def is_name(text: str) -> bool:
    """Whether `text` can name a workflow or a group (flowServ: letters, digits, underscore; 1 to 32)."""
    return NAME.fullmatch(text) is not None


def ulid(milliseconds: int, randomness: bytes) -> str:
    """A ULID: 48 bits of Unix time in milliseconds, 80 random bits (10 bytes), sorted by time as text."""
    number = milliseconds << 80 | int.from_bytes(randomness[:10])
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def milliseconds(of: str) -> int:
    """The Unix time in milliseconds that a ULID carries."""
    number = 0
    for letter in of[:10]:
        number = number << 5 | CROCKFORD.index(letter)
    return number


@dataclass(frozen=True)
class RunId:
    """`{group}-{ulid}` for a group's run, `postproc-{workflow}-{ulid}` for a post-processing run.

    Names have no hyphen, so the two cannot be confused and the partition of a run is read off its id.
    """

    owner: str
    ulid: str
    post_processing: bool = False

    def __str__(self) -> str:
        return f"postproc-{self.owner}-{self.ulid}" if self.post_processing else f"{self.owner}-{self.ulid}"


def run_id(text: str) -> RunId:
    """Read a run id; raises NotFound for anything that cannot be one."""
    *kind, owner, tail = ["", "", *text.split("-")]
    post_processing = kind == ["", "", "postproc"]
    if not (post_processing or kind == ["", ""]) or not is_name(owner) or not _ULID.fullmatch(tail):
        raise errors.NotFound(f"unknown run '{text[:100]}'")
    return RunId(owner, tail, post_processing)

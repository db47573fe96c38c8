"""Identifiers: what they look like, and what can be read off them without asking the table."""

import re

from flowserverless.domain import errors, frozen

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NAME = re.compile(r"[a-zA-Z0-9_]{1,32}")
# So many letters at the beginning of a run id tell runs apart, which is as many as pages show.
MARK = 8
_TIME = 10
_RUN = re.compile(rf"([{CROCKFORD}]{{16}})([{CROCKFORD}]{{{_TIME}}})-(postproc-)?({NAME.pattern})")


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
    for letter in of[:_TIME]:
        number = number << 5 | CROCKFORD.index(letter)
    return number


@frozen.dataclass
class Owner:
    """Whose a run is: a group's, or for post-processing a workflow's. Groups and workflows may have the same name."""

    name: str
    post_processing: bool = False


@frozen.dataclass
class RunId:
    """`{letters}-{group}` for a group's run, `{letters}-postproc-{workflow}` for a post-processing run.

    The letters are the run's ULID with its random part first, because pages show the beginning of an id only, and the
    runs of one group or one hour would all look the same. Names have no hyphen, so the two forms cannot be confused
    and the owner of a run is read off its id.
    """

    owner: Owner
    ulid: str

    def __str__(self) -> str:
        kind = "postproc-" if self.owner.post_processing else ""
        return f"{self.ulid[_TIME:]}{self.ulid[:_TIME]}-{kind}{self.owner.name}"


def run_id(text: str) -> RunId:
    """Read a run id; raises NotFound for anything that cannot be one."""
    found = _RUN.fullmatch(text)
    if not found:
        raise errors.NotFound(f"unknown run '{text[:100]}'")
    random, time, kind, name = found.groups()
    return RunId(Owner(name, kind is not None), time + random)


def board(version: str, number: int) -> str:
    """The id of a workflow's board number `number`, which reads results as `version` says."""
    return f"{version}-{number}"


def version_of(board: str) -> str:
    """The version whose results schema a board follows."""
    return board.partition("-")[0]

"""Where runs stand: ranks, the best run of each group, and whether a run is ranked, superseded, or why not."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from flowserverless.domain import frozen, groups, runs
from flowserverless.domain.ranking import rank_keys, results


class Ranked(Protocol):
    """What is known of a ranked run wherever it comes from; `run` and `group` are ids."""

    @property
    def run(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def finished_at(self) -> datetime: ...
    @property
    def values(self) -> results.Values: ...


RankedRun = TypeVar("RankedRun", bound=Ranked)


@frozen.dataclass
class Entry:
    """A ranked run as its board shows it."""

    key: str
    run: str
    group: str
    created_at: datetime
    started_at: datetime
    finished_at: datetime
    values: results.Values


class Status(StrEnum):
    """What a run that succeeded is to people who look at the leaderboard."""

    RANKED = "ranked"
    SUPERSEDED = "superseded"
    NOT_RANKED = "not_ranked"


@frozen.dataclass
class Place:
    """A run's place in the ranking: `rank` if it is its group's best, else why it is not, and the run that is."""

    status: Status
    code: str | None = None
    detail: str | None = None
    by: str | None = None
    rank: int | None = None


def place(run_id: str, stood: runs.Standing, best: groups.Best | None) -> Place:
    """The place of a run with this standing on the board where `best` is its group's best run."""
    if stood.key is None:
        return Place(Status.NOT_RANKED, stood.code, stood.detail)
    if best is None or best.run == run_id:
        return Place(Status.RANKED)
    equal = rank_keys.value_part(best.key) == rank_keys.value_part(stood.key)
    code, detail = ("EQUAL_RUN", "was as good before") if equal else ("BETTER_RUN", "is better")
    return Place(Status.SUPERSEDED, code, f"the group's run {best.run} {detail}", best.run)


def becomes_best(previous_best_key: str | None, new_key: str) -> bool:
    """Whether a run becomes the best of its group; the best run itself, seen once more, does not."""
    return previous_best_key is None or new_key < previous_best_key


def ordered(encode: rank_keys.Encoder, entries: Iterable[RankedRun]) -> list[tuple[str, RankedRun]]:
    """All entries with their keys, the best first."""
    keyed = ((encode(entry.values, entry.finished_at, entry.run), entry) for entry in entries)
    return sorted(keyed, key=_key_of)


def best_per_group(encode: rank_keys.Encoder, entries: Iterable[RankedRun]) -> list[tuple[str, RankedRun]]:
    """The entry of every group that comes first in the order of `encode`, with its key, the best first.

    Reads the entries once, in any order, and keeps one per group. This is what an order chosen by the
    caller needs: under `score:asc` a group is represented by its run with the lowest score.
    """
    best: dict[str, tuple[str, RankedRun]] = {}
    for entry in entries:
        its_key = encode(entry.values, entry.finished_at, entry.run)
        rival = best.get(entry.group)
        if becomes_best(rival[0] if rival else None, its_key):
            best[entry.group] = (its_key, entry)
    return sorted(best.values(), key=_key_of)


def ranks(
    value_parts: Iterable[str], start_rank: int = 0, start_position: int = 0, previous: str | None = None
) -> Iterator[int]:
    """Competition ranks (1, 1, 3) of entries in ranking order.

    A page goes on where the last one ended: with the rank of its last entry, the number of entries so far,
    and the value part of its last entry.
    """
    rank = start_rank
    for position, part in enumerate(value_parts, start_position + 1):
        if part != previous:
            rank, previous = position, part
        yield rank


def _key_of(keyed: tuple[str, RankedRun]) -> str:
    return keyed[0]

"""The work on a board that is being filled, to be shown, or taken down: what comes first, and how far it has come.

A results schema that reads runs otherwise gets a board of its own. One group after the other joins it; from then
on whoever ends or deletes a run of that group keeps both boards, and the runs it had before are entered one by
one. When all groups are done, one transaction shows the new board instead of the old one. That is then left by
all groups, so that nobody writes to it any more, and some time later its entries are deleted.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from flowserverless.domain import frozen


class Phase(StrEnum):
    """What is being done, in the order in which it is done: what people wait for comes first."""

    FILL = "fill"
    LEAVE = "leave"
    EMPTY = "empty"


ORDER = tuple(Phase)
# Longer than any function runs: for so long nobody else goes on with what was begun, and who was reading a
# board when another took its place can finish.
LEASE = timedelta(minutes=15)


@frozen.dataclass
class Rebuild:
    """A board that is being filled from kept result files, or taken down.

    Filling and leaving go over the workflow's groups: `group` is the last one that is done, `run` is the ULID of
    the run of the group after it that was done last. Before `due_at` the reconciler lets it be.
    """

    workflow: str
    board: str
    phase: Phase
    due_at: datetime
    group: str | None = None
    run: str | None = None

    def advanced(
        self, due_at: datetime, phase: Phase | None = None, group: str | None = None, run: str | None = None
    ) -> "Rebuild":
        """The work with another step done: in another phase, or up to `group`, and of the one after it up to `run`."""
        return replace(self, due_at=due_at, phase=phase or self.phase, group=group, run=run)


def filling(workflow: str, board: str, due_at: datetime) -> Rebuild:
    """The work of filling a board, from the first group on."""
    return Rebuild(workflow, board, Phase.FILL, due_at)


def taking_down(workflow: str, board: str, due_at: datetime) -> Rebuild:
    """The work of taking a board down that nobody is shown any more."""
    return Rebuild(workflow, board, Phase.LEAVE, due_at)


def first(of: Iterable[Rebuild], now: datetime) -> Rebuild | None:
    """What to go on with; None when nothing is left that can be done now.

    Entries are deleted only when their time has come: who began to read a board may finish reading it.
    """
    ready = [one for one in of if one.phase is not Phase.EMPTY or one.due_at <= now]
    return min(ready, key=lambda one: ORDER.index(one.phase), default=None)

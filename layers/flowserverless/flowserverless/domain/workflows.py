"""A workflow: its current version, its boards, and the runs of its post-processing, as groups work with it."""

from collections.abc import Set

from flowserverless.domain import errors, frozen, runs


@frozen.dataclass
class Line:
    """A workflow in a listing."""

    id: str
    name: str
    description: str | None = None


@frozen.dataclass
class Workflow:
    """What changes about a workflow while groups work with it.

    `board` is the one that people see, `next_board` one that is being filled to take its place, and `boards_begun` says
    how many there have been. `post_processed` says whether the current version has post-processing, and `owed` whether
    that is to be run.
    """

    id: str
    version: str
    board: str | None = None
    next_board: str | None = None
    boards_begun: int = 0
    ranking_version: int = 0
    post_processed: bool = False
    owed: bool = False
    active_run: str | None = None
    last_run: str | None = None
    good_run: str | None = None

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards that a new group takes part in."""
        return tuple(board for board in (self.board, self.next_board) if board)

    @property
    def newest_run(self) -> str | None:
        """The post-processing run that was started last."""
        return self.active_run or self.last_run

    @property
    def shown_runs(self) -> Set[str]:
        """The post-processing runs that ended and that the workflow's handle shows."""
        return {run for run in (self.good_run, self.last_run) if run}

    def is_outdated(self, result: runs.Run) -> bool:
        """Whether post-processing is owed, or this result of it is of another ranking than the present one."""
        return self.owed or result.ranking_version != self.ranking_version


def unknown(workflow: str) -> errors.NotFound:
    """What is told of a workflow that is not there."""
    return errors.NotFound(f"unknown workflow '{workflow[:100]}'")

"""Answers a leaderboard: a page in the workflow's own order, or all entries in an order that the caller chose."""

import bisect
import hashlib
import json
from collections.abc import Sequence
from typing import cast

from flowserverless.api import cursors, handles, post_processing, spreadsheets
from flowserverless.domain import errors, frozen, ids, moments
from flowserverless.domain.ranking import rank_keys, results, standing
from flowserverless.store import boards, version_items

# An order of the caller's own is sorted in memory: beyond so many entries, or characters in them, it is refused.
MAX_REORDERED = 10_000
MAX_TEXT_REORDERED = 20_000_000
# Of a page as JSON; a function may answer 6 MB, in which every quotation mark takes one more.
MAX_BYTES = 4_000_000
Keyed = Sequence[tuple[str, standing.Entry]]


@frozen.dataclass
class View:
    """One way of looking at a board; cursors belong to one."""

    workflow: str
    board: str
    schema: results.ResultSchema
    order: tuple[results.OrderBy, ...]
    include_all: bool

    @property
    def listing(self) -> str:
        """What cursors are of, whatever the order."""
        return f"workflows/{self.workflow}/leaderboard"

    @property
    def name(self) -> str:
        """A short name of what decides which line comes after which."""
        by = [[one.column, one.descending] for one in self.order]
        return hashlib.sha256(json.dumps([self.board, by, self.include_all]).encode()).hexdigest()[:16]


@frozen.dataclass
class Position:
    """Where a page ends: the rank and the number of its last line, and the rank key of that line's run."""

    rank: int = 0
    number: int = 0
    key: str = ""


def show(workflow: str, order: str | None, include_all: bool, limit: int, at: str | None) -> handles.Leaderboard:
    """A page of the ranking. Raises NotFound, InvalidRequest (unknown column, cursor, too many entries to reorder)."""
    head, published = version_items.with_workflow(workflow)
    postproc = post_processing.handle(head)
    board: handles.Leaderboard = {"schema": None, "ranking": [], "rankingVersion": head.ranking_version}
    if postproc:
        board["postproc"] = postproc
    if head.board is None:
        return board
    # While another schema's board is being filled, the old board is shown with the schema it follows.
    current = head.board == published.board
    followed = published if current else version_items.get(workflow, ids.version_of(head.board))
    schema = followed.results_schema
    view = View(workflow, head.board, schema, rank_keys.parse_order(schema, order), include_all)
    start = _start(view, at)
    keyed, more = _page(view, limit, start.key)
    lines = _lines(view, keyed, start, MAX_BYTES - len(json.dumps(postproc)))
    board["schema"] = _columns(schema)
    board["ranking"] = lines
    if more or len(lines) < len(keyed):
        last = Position(lines[-1]["rank"], start.number + len(lines), keyed[len(lines) - 1][0])
        board["next"] = cursors.write(view.listing, view.name, last.rank, last.number, last.key)
    return board


def _start(view: View, at: str | None) -> Position:
    position = cursors.read_view(view.listing, view.name, at, int, int, str)
    return Position(*position) if position else Position()


def _page(view: View, limit: int, after: str) -> tuple[Keyed, bool]:
    if view.order == view.schema.order:
        part = boards.ALL if view.include_all else boards.BEST
        found, more = boards.page(view.workflow, view.board, part, limit, after or None)
        return [(entry.key, entry) for entry in found], more
    keyed = _reordered(view)
    first = bisect.bisect_right(keyed, after, key=lambda pair: pair[0])
    return keyed[first : first + limit], len(keyed) > first + limit


def _reordered(view: View) -> Keyed:
    encode = rank_keys.encoder(view.schema, view.order)
    entries: list[standing.Entry] = []
    text = 0
    for entry in boards.every(view.workflow, view.board, boards.ALL):
        entries.append(entry)
        text += sum(len(value) for value in entry.values if isinstance(value, str))
        if len(entries) > MAX_REORDERED or text > MAX_TEXT_REORDERED:
            detail = f"more than {MAX_REORDERED} runs are ranked; only the workflow's own order can be read"
            raise errors.InvalidRequest(detail, errors.TOO_MANY_TO_REORDER)
    return standing.ordered(encode, entries) if view.include_all else standing.best_per_group(encode, entries)


def _lines(view: View, keyed: Keyed, start: Position, room: int) -> list[handles.RankingLine]:
    """The lines of a page, at least one and no more than fit into an answer."""
    names = boards.group_names(view.workflow, {entry.group for _, entry in keyed})
    previous = rank_keys.value_part(start.key) if start.key else None
    parts = [rank_keys.value_part(key) for key, _ in keyed]
    lines: list[handles.RankingLine] = []
    size = 0
    for rank, (_, entry) in zip(standing.ranks(parts, start.rank, start.number, previous), keyed, strict=True):
        line = _line(view.schema, rank, entry, names.get(entry.group, entry.group))
        size += len(json.dumps(line))
        if lines and size > room:
            break
        lines.append(line)
    return lines


def _columns(schema: results.ResultSchema) -> list[handles.ColumnHandle]:
    """The columns of a leaderboard."""
    return [{"name": column.name, "label": column.label, "dtype": column.dtype} for column in schema.columns]


def _line(schema: results.ResultSchema, rank: int, entry: standing.Entry, group_name: str) -> handles.RankingLine:
    """A line of a leaderboard: every column in its place, because flowServ's page reads them by position."""
    return {
        "rank": rank,
        "run": {
            "id": entry.run,
            "createdAt": moments.text(entry.created_at),
            "startedAt": moments.text(entry.started_at),
            "finishedAt": moments.text(entry.finished_at),
        },
        "group": {"id": entry.group, "name": group_name},
        "results": cast("list[handles.Result]", results.shown(schema, entry.values)),
    }


def csv(board: handles.Leaderboard) -> str:
    """A leaderboard as CSV with labels as header."""
    columns = board["schema"] or []
    rows: list[list[spreadsheets.Cell]] = [["Rank", "Group", "Run", *(column["label"] for column in columns)]]
    for line in board["ranking"]:
        values = [_number(column, one["value"]) for column, one in zip(columns, line["results"], strict=True)]
        rows.append([line["rank"], line["group"]["name"], line["run"]["id"], *values])
    return spreadsheets.csv(rows)


def _number(column: handles.ColumnHandle, value: spreadsheets.Cell) -> spreadsheets.Cell:
    """The value; JSON has no infinite numbers, which are texts there."""
    return float(value) if column["dtype"] == "float" and isinstance(value, str) else value

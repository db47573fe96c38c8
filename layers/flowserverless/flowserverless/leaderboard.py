"""Reading a leaderboard: in the workflow's own order at the cost of a page, in any other order at the cost of all."""

import itertools
from collections.abc import Iterable
from typing import Any

from flowserverless import cursor, postprocessing, views
from flowserverless.domain import errors, ranking, results
from flowserverless.store import rankings, workflows

# An order of the caller's own is sorted in memory; beyond this many entries it is refused.
MOST_REORDERED = 10_000


def show(workflow: str, order: str | None, include_all: bool, limit: int, at: str | None) -> views.Leaderboard:
    """A page of the ranking. Raises NotFound, InvalidRequest (unknown column, cursor, too many entries to reorder)."""
    head, published = workflows.with_template(workflow)
    postproc = views.post_processing(head, *postprocessing.shown(head))
    board: views.Leaderboard = {"schema": None, "ranking": [], "rankingVersion": int(head.ranking_version)}
    if postproc:
        board["postproc"] = postproc
    if head.board is None:
        return board
    # While a new schema's board is being built, the old board is shown with the schema it follows.
    current = head.board == published.board
    document = published if current else workflows.version(workflow, rankings.version_of(head.board))
    schema = results.parse(document.template["results"])
    criteria = ranking.parse_order(schema, order)
    start = cursor.read(at, int, int, str, str) or [0, 0, "", ""]
    part = "ALL" if include_all else "BEST"
    if criteria == schema.order:
        found, more = rankings.page(workflow, head.board, part, limit, start[3] or None)
        keyed = [(entry.key, entry) for entry in found]
    else:
        keyed, more = _reordered(schema, criteria, workflow, head.board, include_all, limit, start[1])
    board["schema"] = views.columns(schema)
    board["ranking"], position = _lines(schema, workflow, keyed, start)
    if more:
        board["next"] = cursor.write(position)
    return board


def _reordered(
    schema: results.ResultSchema,
    criteria: tuple[results.OrderBy, ...],
    workflow: str,
    board: str,
    include_all: bool,
    limit: int,
    start: int,
) -> tuple[list[tuple[str, rankings.Entry]], bool]:
    entries = list(itertools.islice(rankings.every(workflow, board, "ALL"), MOST_REORDERED + 1))
    if len(entries) > MOST_REORDERED:
        detail = f"more than {MOST_REORDERED} runs are ranked; only the workflow's own order can be read"
        raise errors.InvalidRequest(detail, "TOO_MANY_TO_REORDER")
    encode = ranking.encoder(schema, criteria)
    keyed = ranking.ordered(encode, entries) if include_all else ranking.best_per_group(encode, entries)
    return keyed[start : start + limit], len(keyed) > start + limit


def _lines(
    schema: results.ResultSchema, workflow: str, keyed: list[tuple[str, rankings.Entry]], start: Iterable[Any]
) -> tuple[list[views.RankingLine], list[Any]]:
    rank, position, previous, _ = start
    names = rankings.group_names(workflow, {entry.group for _, entry in keyed})
    parts = [ranking.value_part(key) for key, _ in keyed]
    numbers = list(ranking.ranks(parts, rank, position, previous or None))
    lines = [
        views.ranking_line(schema, number, entry, names.get(entry.group, entry.group))
        for number, (_, entry) in zip(numbers, keyed, strict=True)
    ]
    if not keyed:
        return lines, [rank, position, previous, ""]
    return lines, [numbers[-1], position + len(keyed), parts[-1], keyed[-1][0]]

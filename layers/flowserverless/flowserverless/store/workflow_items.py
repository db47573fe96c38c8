"""Workflows in the table: what changes about them while groups work with them, and the list of them."""

from datetime import datetime
from typing import Any

from pynamodb.expressions.update import Action

from flowserverless.domain import errors, workflows
from flowserverless.store import batch_reads, due, table


def from_item(item: Any) -> workflows.Workflow:
    """The workflow that an item holds."""
    return workflows.Workflow(
        id=item.workflow,
        version=item.version,
        board=item.board,
        next_board=item.next_board,
        boards_begun=int(item.boards_begun),
        ranking_version=int(item.ranking_version),
        post_processed=bool(item.post_processed),
        owed=item.due == due.Kind.POSTPROC,
        active_run=item.active_run,
        last_run=item.last_run,
        good_run=item.good_run,
    )


def wanted(workflow: str) -> batch_reads.Wanted[workflows.Workflow]:
    """A workflow, to be read together with other things."""
    return batch_reads.Wanted(table.workflow(workflow), from_item)


def get(workflow: str) -> workflows.Workflow:
    """The workflow; raises NotFound."""
    found = batch_reads.one(wanted(workflow))
    if found is None:
        raise workflows.unknown(workflow)
    return found


def catalogue(limit: int, after: str | None) -> tuple[list[workflows.Line], bool]:
    """Workflows by id, behind workflow `after`; and whether more follow."""
    partition, last = table.catalogue(after or "")
    condition = table.CatalogueItem.sk > last if after else None
    items = table.CatalogueItem.query(partition, condition, consistent_read=True, limit=limit + 1)
    found = [workflows.Line(item.workflow, item.name, item.description) for item in items]
    return found[:limit], len(found) > limit


def owe_post_processing(workflow: str, now: datetime) -> None:
    """Let a workflow owe post-processing though its ranking is as it was. Raises NotFound, Conflict if it has none."""
    get(workflow)
    kind = table.WorkflowItem
    item, has = kind(*table.workflow(workflow)), table.is_still(kind.post_processed, True)
    owed: list[Action] = [kind.due.set(due.Kind.POSTPROC), kind.due_at.set(now)]
    if not table.written(lambda: item.update(actions=owed, condition=has)):
        raise errors.Conflict(f"workflow '{workflow}' has no post-processing")

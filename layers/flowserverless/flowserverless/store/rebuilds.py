"""The work on boards in the table: filling one, showing it, and taking down the one before.

Every item of this work stands for one board, and each of its steps may be done twice, by two at the same time,
or by another function after the first one died.
"""

from datetime import datetime
from typing import Any

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import groups, workflows
from flowserverless.domain.ranking import rebuilding
from flowserverless.store import batch_reads, boards, due, group_items, table, transactions, workflow_items

ROUNDS = 50


def from_item(item: Any) -> rebuilding.Rebuild:
    """The work that an item holds."""
    return rebuilding.Rebuild(
        item.workflow, item.board, rebuilding.Phase(item.phase), item.due_at, item.group, item.run
    )


def to_item(work: rebuilding.Rebuild) -> table.RebuildItem:
    """The item that holds work on a board; the reconciler looks after it from its `due_at` on."""
    return table.RebuildItem(
        *table.rebuild(work.workflow, work.board),
        workflow=work.workflow,
        board=work.board,
        phase=work.phase,
        group=work.group,
        run=work.run,
        due=due.Kind.REBUILD,
        due_at=work.due_at,
    )


def first(workflow: str, now: datetime) -> rebuilding.Rebuild | None:
    """What to go on with of a workflow's boards; None when nothing is left that can be done now."""
    partition, prefix = table.rebuild(workflow, "")
    found = table.RebuildItem.query(partition, table.RebuildItem.sk.startswith(prefix), consistent_read=True)
    return rebuilding.first(map(from_item, found), now)


def advance(before: rebuilding.Rebuild, after: rebuilding.Rebuild) -> None:
    """Write down how far the work has come; without effect when its phase has changed meanwhile."""
    kind = table.RebuildItem
    actions: list[Action] = [kind.phase.set(after.phase), kind.due_at.set(after.due_at)]
    actions.append(kind.group.set(after.group) if after.group else kind.group.remove())
    actions.append(kind.run.set(after.run) if after.run else kind.run.remove())
    item = _key(before)
    table.written(lambda: item.update(actions=actions, condition=kind.phase == before.phase))


def forget(work: rebuilding.Rebuild) -> None:
    """Drop work that is done; harmless when repeated."""
    _key(work).delete()


def _key(work: rebuilding.Rebuild) -> table.RebuildItem:
    return table.RebuildItem(*table.rebuild(work.workflow, work.board))


def join(work: rebuilding.Rebuild, group: str) -> None:
    """Let a group take part in a board, unless the board is not wanted any more."""
    _take_part(work, group, joins=True)


def leave(work: rebuilding.Rebuild, group: str) -> None:
    """Let a group take part in a board no longer."""
    _take_part(work, group, joins=False)


def _take_part(work: rebuilding.Rebuild, group_id: str, joins: bool) -> None:
    def attempt() -> None:
        group = group_items.seek(group_id)
        if group is None or (work.board in group.bests) == joins:
            return
        try:
            _change(work, group, joins)
        except transactions.ConditionFailed:
            if not joins or _waiting(work):
                raise

    transactions.until_settled(attempt, ROUNDS, f"group {group_id} keeps changing")


def _waiting(work: rebuilding.Rebuild) -> workflows.Workflow | None:
    """The workflow, if this board is the one that it is going to show."""
    head = batch_reads.one(workflow_items.wanted(work.workflow))
    return head if head and head.next_board == work.board else None


def _change(work: rebuilding.Rebuild, group: groups.Group, joins: bool) -> None:
    bests = dict(group.bests)
    if joins:
        bests[work.board] = None
    else:
        del bests[work.board]

    def compose(transaction: TransactWrite) -> None:
        boards.revise(transaction, group, bests)
        if joins:
            wanted = table.WorkflowItem.next_board == work.board
            transaction.condition_check(table.WorkflowItem, *table.workflow(work.workflow), condition=wanted)

    transactions.commit(compose)


def show(work: rebuilding.Rebuild, now: datetime, later: datetime) -> bool:
    """Show a board that all groups have joined with all their runs; False when it is not wanted any more.

    The board before is to be taken down, and the reconciler looks after that from `later` on.
    """
    head = _waiting(work)
    if head is None:
        return False
    kind = table.WorkflowItem
    actions: list[Action] = [
        kind.board.set(work.board),
        kind.next_board.remove(),
        kind.ranking_version.add(1),
    ]
    if head.post_processed:
        actions += [kind.due.set(due.Kind.POSTPROC), kind.due_at.set(now)]

    def compose(transaction: TransactWrite) -> None:
        updated = kind(*table.workflow(head.id))
        transaction.update(updated, actions, condition=(kind.next_board == work.board) & (kind.version == head.version))
        transaction.delete(_key(work))
        if head.board:
            transaction.save(to_item(rebuilding.taking_down(work.workflow, head.board, later)))

    try:
        transactions.commit(compose)
    except transactions.ConditionFailed:
        return False
    return True

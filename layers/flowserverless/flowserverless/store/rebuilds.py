"""Boards that come and go while groups go on working: filling one, showing it, and taking down the one before.

A results schema that reads runs otherwise gets a board of its own. One group after the other joins it; from then
on whoever ends or deletes a run of that group keeps both boards, and the runs it had before are entered one by
one. When all groups are done, one transaction shows the new board instead of the old one. That is then left by
all groups, so that nobody writes to it any more, and some time later its entries are deleted.

Every item of this work stands for one board, and each of its steps may be done twice, by two at the same time,
or by another function after the first one died.
"""

from datetime import datetime

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import groups, workflows
from flowserverless.store import boards, due, group_items, reads, table, transactions, workflow_items

# In the order in which they are done: what people wait for comes first.
FILL, LEAVE, EMPTY = PHASES = ("fill", "leave", "empty")
ROUNDS = 50


def filling(workflow: str, board: str, due_at: datetime) -> table.RebuildItem:
    """The work of filling a board, from the first group on."""
    return _item(workflow, board, FILL, due_at)


def taking_down(workflow: str, board: str, due_at: datetime) -> table.RebuildItem:
    """The work of taking a board down that nobody is shown any more."""
    return _item(workflow, board, LEAVE, due_at)


def _item(workflow: str, board: str, phase: str, due_at: datetime) -> table.RebuildItem:
    key = table.rebuild(workflow, board)
    return table.RebuildItem(*key, workflow=workflow, board=board, phase=phase, due=due.Kind.REBUILD, due_at=due_at)


def first(workflow: str, now: datetime) -> table.RebuildItem | None:
    """What to go on with; None when nothing is left that can be done now.

    Entries are deleted only when their time has come: who began to read a board may finish reading it.
    """
    partition, prefix = table.rebuild(workflow, "")
    found = table.RebuildItem.query(partition, table.RebuildItem.sk.startswith(prefix), consistent_read=True)
    ready = [item for item in found if item.phase != EMPTY or item.due_at <= now]
    return min(ready, key=lambda item: PHASES.index(item.phase), default=None)


def advance(
    item: table.RebuildItem, due_at: datetime, phase: str, group: str | None = None, run: str | None = None
) -> None:
    """Write down how far the work has come; without effect when its phase has changed meanwhile."""
    kind = table.RebuildItem
    actions: list[Action] = [kind.phase.set(phase), kind.due_at.set(due_at)]
    actions.append(kind.group.set(group) if group else kind.group.remove())
    actions.append(kind.run.set(run) if run else kind.run.remove())
    try:
        item.update(actions=actions, condition=kind.phase == item.phase)
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise


def join(item: table.RebuildItem, group: str) -> None:
    """Let a group take part in a board, unless the board is not wanted any more."""
    _take_part(item, group, joins=True)


def leave(item: table.RebuildItem, group: str) -> None:
    """Let a group take part in a board no longer."""
    _take_part(item, group, joins=False)


def _take_part(item: table.RebuildItem, group_id: str, joins: bool) -> None:
    for _ in range(ROUNDS):
        group = group_items.seek(group_id)
        if group is None or (item.board in group.bests) == joins:
            return
        try:
            _change(item, group, joins)
            return
        except transactions.ConditionFailed:
            if joins and _waiting(item) is None:
                return
    raise transactions.Busy(f"group {group_id} keeps changing")


def _waiting(item: table.RebuildItem) -> workflows.Workflow | None:
    """The workflow, if this board is the one that it is going to show."""
    head = reads.one(workflow_items.wanted(item.workflow))
    return head if head and head.next_board == item.board else None


def _change(item: table.RebuildItem, group: groups.Group, joins: bool) -> None:
    bests = dict(group.bests)
    if joins:
        bests[item.board] = None
    else:
        del bests[item.board]

    def compose(transaction: TransactWrite) -> None:
        boards.revise(transaction, group, bests)
        if joins:
            wanted = table.WorkflowItem.next_board == item.board
            transaction.condition_check(table.WorkflowItem, *table.workflow(item.workflow), condition=wanted)

    transactions.commit(compose)


def show(item: table.RebuildItem, now: datetime, later: datetime) -> bool:
    """Show a board that all groups have joined with all their runs; False when it is not wanted any more.

    The board before is to be taken down, and the reconciler looks after that from `later` on.
    """
    head = _waiting(item)
    if head is None:
        return False
    kind = table.WorkflowItem
    actions: list[Action] = [
        kind.board.set(item.board),
        kind.next_board.remove(),
        kind.ranking_version.add(1),
    ]
    if head.post_processed:
        actions += [kind.due.set(due.Kind.POSTPROC), kind.due_at.set(now)]

    def compose(transaction: TransactWrite) -> None:
        updated = kind(*table.workflow(head.id))
        transaction.update(updated, actions, condition=(kind.next_board == item.board) & (kind.version == head.version))
        transaction.delete(item)
        if head.board:
            transaction.save(taking_down(item.workflow, head.board, later))

    try:
        transactions.commit(compose)
    except transactions.ConditionFailed:
        return False
    return True

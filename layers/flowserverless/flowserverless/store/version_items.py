"""Versions of workflows in the table: reading them, and publishing one, which makes it the current one."""

from dataclasses import replace
from typing import Any

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import ids, versions, workflows
from flowserverless.domain.ranking import rebuilding
from flowserverless.store import batch_reads, due, rebuilds, table, transactions, workflow_items

ROUNDS = 20


def from_item(item: Any) -> versions.Version:
    """The version that an item holds."""
    return versions.Version(
        workflow=item.workflow,
        id=item.version,
        name=item.name,
        document=item.template,
        published_at=item.published_at,
        description=item.description,
        instructions=item.instructions,
        files=tuple((path, size) for path, size in item.files),
        executables=tuple(item.executables or ()),
        folders=tuple(item.folders or ()),
        public=tuple((path, size) for path, size in item.public or ()),
        board=item.board,
    )


def _to_item(version: versions.Version, key: table.Key) -> table.TemplateItem:
    return table.TemplateItem(
        *key,
        workflow=version.workflow,
        version=version.id,
        name=version.name,
        description=version.description,
        instructions=version.instructions,
        template=version.document,
        files=[list(file) for file in version.files],
        executables=list(version.executables) or None,
        folders=list(version.folders) or None,
        public=[list(file) for file in version.public] or None,
        board=version.board,
        published_at=version.published_at,
    )


def wanted(workflow: str, version: str | None = None) -> batch_reads.Wanted[versions.Version]:
    """A version, by default the current one, to be read together with other things."""
    return batch_reads.Wanted(table.template(workflow, version), from_item)


def get(workflow: str, version: str | None = None) -> versions.Version:
    """A published version, by default the current one; raises NotFound."""
    found = batch_reads.one(wanted(workflow, version))
    if found is None:
        raise workflows.unknown(workflow)
    return found


def with_workflow(workflow: str) -> tuple[workflows.Workflow, versions.Version]:
    """The workflow and its current version in one BatchGetItem; raises NotFound."""
    head, current = _read(workflow)
    if head is None or current is None:
        raise workflows.unknown(workflow)
    return head, current


def _read(workflow: str) -> tuple[workflows.Workflow | None, versions.Version | None]:
    head, current = workflow_items.wanted(workflow), wanted(workflow)
    found = batch_reads.together(head, current)
    return found.get(head), found.get(current)


def publish(version: versions.Version) -> tuple[versions.Version, bool]:
    """Make a version the current one, in one transaction; says whether a board has to be filled or taken down.

    The version that is answered has the board that reads results as it says: that of the version before if both say
    the same, else a new one, which takes the old one's place once it holds every run. A board that is being filled for
    a version before is given up. Raises Busy.
    """

    def attempt() -> tuple[versions.Version, bool]:
        head, before = _read(version.workflow)
        if before is not None and before.id == version.id:
            return version, False
        if head is None or before is None:
            return _begin(version), False
        return _replace(version, head, before)

    return transactions.until_settled(attempt, ROUNDS, f"workflow {version.workflow} keeps being published")


def _begin(version: versions.Version) -> versions.Version:
    version = _with_new_board(version, 1)
    head = table.WorkflowItem(
        *table.workflow(version.workflow),
        workflow=version.workflow,
        version=version.id,
        board=version.board,
        boards_begun=1,
        post_processed=version.post_processed,
    )

    def compose(transaction: TransactWrite) -> None:
        _save(transaction, version)
        transaction.save(head, condition=table.WorkflowItem.pk.does_not_exist())

    transactions.commit(compose)
    return version


def _replace(
    version: versions.Version, head: workflows.Workflow, before: versions.Version
) -> tuple[versions.Version, bool]:
    same = version.reads_results_like(before)
    version = replace(version, board=before.board) if same else _with_new_board(version, head.boards_begun + 1)
    actions, work = _board_changes(version, head, before)
    kind = table.WorkflowItem
    actions += [kind.version.set(version.id), kind.post_processed.set(version.post_processed)]
    if not version.post_processed:
        actions += [kind.due.remove(), kind.due_at.remove()]
    elif same and head.board and not version.post_processes_like(before):
        actions += [kind.due.set(due.Kind.POSTPROC), kind.due_at.set(version.published_at)]
    unchanged = table.is_still(kind.board, head.board) & table.is_still(kind.next_board, head.next_board)
    item = kind(*table.workflow(head.id))

    def compose(transaction: TransactWrite) -> None:
        _save(transaction, version)
        transaction.update(item, actions, condition=(kind.version == head.version) & unchanged)
        for one in work:
            transaction.save(rebuilds.to_item(one))

    transactions.commit(compose)
    return version, bool(work)


def _board_changes(
    version: versions.Version, head: workflows.Workflow, before: versions.Version
) -> tuple[list[Action], list[rebuilding.Rebuild]]:
    """What a version changes about the workflow's boards, and the work that follows from it."""
    if version.board == before.board:
        return [], []
    now, kind = version.published_at, table.WorkflowItem
    if version.board:
        given_up = [head.next_board]
        work = [rebuilding.filling(head.id, version.board, now)]
        actions: list[Action] = [kind.next_board.set(version.board), kind.boards_begun.add(1)]
    else:
        given_up = [head.board, head.next_board]
        work = []
        # The list of best runs is empty now, so that post-processing results are of another one.
        actions = [kind.board.remove(), kind.next_board.remove(), kind.ranking_version.add(1 if head.board else 0)]
    return actions, work + [rebuilding.taking_down(head.id, board, now) for board in given_up if board]


def _with_new_board(version: versions.Version, number: int) -> versions.Version:
    return replace(version, board=ids.board(version.id, number) if version.ranks else None)


def _save(transaction: TransactWrite, version: versions.Version) -> None:
    for version_id in (None, version.id):
        transaction.save(_to_item(version, table.template(version.workflow, version_id)))
    transaction.save(
        table.CatalogueItem(
            *table.catalogue(version.workflow),
            workflow=version.workflow,
            name=version.name,
            description=version.description,
        )
    )

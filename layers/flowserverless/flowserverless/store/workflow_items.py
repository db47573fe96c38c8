"""Workflows in the table: what an organiser published, and what changes while groups work with it."""

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors
from flowserverless.store import boards, due, reads, rebuilds, table, transactions

ROUNDS = 20


def wanted(workflow: str) -> reads.Wanted[table.WorkflowItem]:
    """A workflow, to be read together with other things."""
    return reads.Wanted(table.workflow(workflow), lambda item: item)


def get(workflow: str) -> table.WorkflowItem:
    """The changing part of a workflow; raises NotFound."""
    item: table.WorkflowItem | None = table.get(table.workflow(workflow))
    if item is None:
        raise errors.NotFound(f"unknown workflow '{workflow[:100]}'")
    return item


def with_template(workflow: str) -> tuple[table.WorkflowItem, table.TemplateItem]:
    """The workflow and its current version in one BatchGetItem; raises NotFound."""
    keys = table.workflow(workflow), table.template(workflow)
    found = table.fetch(keys)
    if len(found) < len(keys):
        raise errors.NotFound(f"unknown workflow '{workflow[:100]}'")
    return found[keys[0]], found[keys[1]]


def version(workflow: str, version_id: str | None = None) -> table.TemplateItem:
    """A published version, by default the current one; raises NotFound."""
    item: table.TemplateItem | None = table.get(table.template(workflow, version_id))
    if item is None:
        raise errors.NotFound(f"unknown workflow '{workflow[:100]}'")
    return item


def catalogue(limit: int, after: str | None) -> tuple[list[table.CatalogueItem], bool]:
    """Workflows by id, behind workflow `after`; and whether more follow."""
    key = table.CatalogueItem.sk
    condition = key > f"WORKFLOW#{after}" if after else None
    found = list(table.CatalogueItem.query("CATALOGUE", condition, consistent_read=True, limit=limit + 1))
    return found[:limit], len(found) > limit


def publish(published: table.TemplateItem, post_processed: bool) -> bool:
    """Make a version the current one, in one transaction; says whether a board has to be filled or taken down.

    `published.board` becomes the board that reads results as this version says: that of the version before if
    both say the same, else a new one, which takes the old one's place once it holds every run. A board that is
    being filled for a version before is given up. Raises Busy.
    """
    keys = table.workflow(published.workflow), table.template(published.workflow)
    for _ in range(ROUNDS):
        found = table.fetch(keys)
        head, before = found.get(keys[0]), found.get(keys[1])
        if before is not None and before.version == published.version:
            return False
        try:
            if head is None or before is None:
                return _begin(published, post_processed)
            return _replace(published, post_processed, head, before)
        except transactions.ConditionFailed:
            continue
    raise transactions.Busy(f"workflow {published.workflow} keeps being published")


def _begin(published: table.TemplateItem, post_processed: bool) -> bool:
    published.board = _new_board(published, 1)
    head = table.WorkflowItem(
        *table.workflow(published.workflow),
        workflow=published.workflow,
        version=published.version,
        board=published.board,
        boards_begun=1,
        post_processed=post_processed,
    )

    def compose(transaction: TransactWrite) -> None:
        _save(transaction, published)
        transaction.save(head, condition=table.WorkflowItem.pk.does_not_exist())

    transactions.commit(compose)
    return False


def _replace(
    published: table.TemplateItem, post_processed: bool, head: table.WorkflowItem, before: table.TemplateItem
) -> bool:
    same = before.template.get("results") == published.template.get("results")
    published.board = before.board if same else _new_board(published, int(head.boards_begun) + 1)
    actions, work = _board_changes(published, head, before)
    kind = table.WorkflowItem
    actions += [kind.version.set(published.version), kind.post_processed.set(post_processed)]
    if not post_processed:
        actions += [kind.due.remove(), kind.due_at.remove()]
    elif same and head.board and before.template.get("postproc") != published.template.get("postproc"):
        actions += [kind.due.set(due.Kind.POSTPROC), kind.due_at.set(published.published_at)]
    unchanged = table.is_still(kind.board, head.board) & table.is_still(kind.next_board, head.next_board)

    def compose(transaction: TransactWrite) -> None:
        _save(transaction, published)
        transaction.update(head, actions, condition=(kind.version == head.version) & unchanged)
        for item in work:
            transaction.save(item)

    transactions.commit(compose)
    return bool(work)


def owe_post_processing(workflow: str, now: str) -> None:
    """Let a workflow owe post-processing though its ranking is as it was. Raises NotFound, Conflict if it has none."""
    head, kind = get(workflow), table.WorkflowItem
    try:
        head.update(
            actions=[kind.due.set(due.Kind.POSTPROC), kind.due_at.set(now)],
            condition=table.is_still(kind.post_processed, True),
        )
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        raise errors.Conflict(f"workflow '{workflow}' has no post-processing") from None


def _board_changes(
    published: table.TemplateItem, head: table.WorkflowItem, before: table.TemplateItem
) -> tuple[list[Action], list[table.RebuildItem]]:
    """What a version changes about the workflow's boards, and the work that follows from it."""
    if published.board == before.board:
        return [], []
    workflow, now, kind = published.workflow, published.published_at, table.WorkflowItem
    if published.board:
        given_up = [head.next_board]
        work = [rebuilds.filling(workflow, published.board, now)]
        actions: list[Action] = [kind.next_board.set(published.board), kind.boards_begun.add(1)]
    else:
        given_up = [head.board, head.next_board]
        work = []
        # The list of best runs is empty now, so that post-processing results are of another one.
        actions = [kind.board.remove(), kind.next_board.remove(), kind.ranking_version.add(1 if head.board else 0)]
    return actions, work + [rebuilds.taking_down(workflow, board, now) for board in given_up if board]


def _new_board(published: table.TemplateItem, number: int) -> str | None:
    return boards.board_id(published.version, number) if published.template.get("results") else None


def _save(transaction: TransactWrite, published: table.TemplateItem) -> None:
    content = {name: value for name, value in published.attribute_values.items() if name not in ("pk", "sk", "kind")}
    for version_id in (None, published.version):
        transaction.save(table.TemplateItem(*table.template(published.workflow, version_id), **content))
    transaction.save(
        table.CatalogueItem(
            "CATALOGUE",
            f"WORKFLOW#{published.workflow}",
            workflow=published.workflow,
            name=published.name,
            description=published.description,
        )
    )

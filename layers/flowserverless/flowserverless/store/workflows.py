"""Workflows in the table: what an organiser published, and what changes while groups work with it."""

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from flowserverless.domain import errors
from flowserverless.store import table


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
    if keys[0] not in found:
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
    """Make a version the current one, in one transaction; says whether its board has to be filled from kept results.

    `published.board` names the version itself when it has a results schema. A version that reads results as the
    one before it keeps the board; one that reads them otherwise begins a new board, which takes the old one's
    place once it holds every run. Raises ConditionFailed when somebody publishes at the same moment.
    """
    found = table.fetch([table.workflow(published.workflow), table.template(published.workflow)])
    head = found.get(table.workflow(published.workflow))
    before = found.get(table.template(published.workflow))
    if before is not None and before.version == published.version:
        return False
    rebuild = False
    if head is not None and before is not None:
        if before.template.get("results") == published.template.get("results"):
            published.board = before.board
        else:
            rebuild = True
    _write(published, post_processed, head, rebuild)
    return rebuild and published.board is not None


def _write(published: table.TemplateItem, post_processed: bool, head: table.WorkflowItem | None, rebuild: bool) -> None:
    content = {name: value for name, value in published.attribute_values.items() if name not in ("pk", "sk", "kind")}
    catalogue_line = table.CatalogueItem(
        "CATALOGUE",
        f"WORKFLOW#{published.workflow}",
        workflow=published.workflow,
        name=published.name,
        description=published.description,
    )

    def compose(transaction: TransactWrite) -> None:
        for key in (
            table.template(published.workflow),
            table.template(published.workflow, published.version),
        ):
            transaction.save(table.TemplateItem(*key, **content))
        transaction.save(catalogue_line)
        if head is None:
            transaction.save(
                table.WorkflowItem(
                    *table.workflow(published.workflow),
                    workflow=published.workflow,
                    version=published.version,
                    board=published.board,
                    post_processed=post_processed,
                ),
                condition=table.WorkflowItem.pk.does_not_exist(),
            )
            return
        actions: list[Action] = [
            table.WorkflowItem.version.set(published.version),
            table.WorkflowItem.post_processed.set(post_processed),
        ]
        if rebuild and published.board:
            actions.append(table.WorkflowItem.next_board.set(published.board))
            transaction.save(_rebuild(published))
        elif rebuild:
            actions.append(table.WorkflowItem.board.remove())
        transaction.update(head, actions, condition=table.WorkflowItem.version == head.version)

    table.commit(compose)


def _rebuild(published: table.TemplateItem) -> table.RebuildItem:
    return table.RebuildItem(
        *table.rebuild(published.workflow),
        board=published.board,
        due="REBUILD",
        due_at=published.published_at,
    )

"""Post-processing: a run over the best runs of a workflow's groups, owed whenever the list of them changes.

At most one is active per workflow. The ranking is read when its first step is staged, so whatever changed
until then is in it; what changes later makes the workflow owe one more, however often it changes. When nothing is
ranked, no run is started, and the results of runs that are gone go with them.
"""

import json
from datetime import datetime
from typing import Any

from flowserverless import clock, settings
from flowserverless.aws import step_functions
from flowserverless.domain import errors, ids, plans, runs
from flowserverless.domain.templates import steps, templates
from flowserverless.store import boards, bucket, due, run_items, table, transactions, workflow_items

# The best so many runs are post-processed: each of their files is an input that has to be signed and fetched.
MAX_RUNS = 1000
# Of the files of each of the two runs that a workflow and its leaderboard show, as JSON: a few thousand.
FILES_BYTES = 750_000


def start_if_owed(workflow: str, now: datetime) -> runs.Run | None:
    """Start post-processing when the ranking changed since it last ran and none is active; else do nothing.

    With nothing ranked, nothing is started or owed, and what earlier runs showed is withdrawn.
    """
    head = workflow_items.get(workflow)
    if head.due != due.Kind.POSTPROC or head.active_run:
        return None
    published = workflow_items.version(workflow)
    template = templates.parse(published.template, steps.ANYTHING)
    if template.postproc is None:
        return None
    if not _best(head, 1):
        run_items.withdraw_post_processing(head, now)
        return None
    run = _plan(head, published, template, now)
    try:
        run_items.create_post_processing(run)
    except transactions.ConditionFailed:
        return None
    step_functions.start(run, wait=settings.current().post_processing_delay)
    return run


def start_again(workflow: str, now: datetime) -> runs.Run | None:
    """Start post-processing though the ranking is as it was, say after a failure; None if it is active already.

    Raises NotFound, Conflict for a workflow without post-processing.
    """
    workflow_items.owe_post_processing(workflow, runs.timestamp(now))
    return start_if_owed(workflow, now)


def _plan(
    head: table.WorkflowItem, published: table.TemplateItem, template: templates.Template, now: datetime
) -> runs.Run:
    planned = plans.postproc_plan(template)
    folder = template.postproc.inputs_runs if template.postproc else "runs"
    return runs.Run(
        id=str(ids.RunId(ids.Owner(head.workflow, post_processing=True), clock.new_ulid())),
        workflow=head.workflow,
        version=published.version,
        state=runs.State.PENDING,
        created_at=runs.timestamp(now),
        deadline=runs.deadline(now, settings.current().run_seconds),
        arguments=({"name": "runs", "value": folder},),
        executors=tuple(step.executor for step in planned),
        steps=tuple(runs.Step(step.name) for step in planned),
        ranking_version=int(head.ranking_version),
    )


def take_snapshot(run: runs.Run, published: table.TemplateItem) -> int:
    """Write down which files of which ranked runs this run reads (flowServ's runs.json); the ranking version it is of.

    The version is read before the board, so the snapshot holds at least what the version stands for. Raises Conflict
    when the last ranked run has gone meanwhile; what is owed then is seen to by the reconciler.
    """
    head = workflow_items.get(run.workflow)
    wanted = templates.parse(published.template, steps.ANYTHING).ranked_files
    best = _best(head, MAX_RUNS)
    if not best:
        raise errors.Conflict(f"no run of workflow '{run.workflow}' is ranked any more")
    names = boards.group_names(run.workflow, {entry.group for entry in best})
    listed = [{"id": e.run, "name": names.get(e.group, e.group), "files": list(wanted)} for e in best]
    listing = bucket.ranked_runs(run.id)
    bucket.write_json(listing, listed)
    inputs: list[tuple[str, str, int | None]] = [("runs/runs.json", listing, None)]
    for entry in best:
        inputs += [(f"runs/{entry.run}/{name}", bucket.result(entry.run, path), None) for name, path in wanted.items()]
    bucket.write_json(bucket.snapshot(run.id), inputs)
    return int(head.ranking_version)


def _best(head: table.WorkflowItem, limit: int) -> list[boards.Entry]:
    """The best runs of the groups, in ranking order."""
    return boards.page(head.workflow, head.board, "BEST", limit)[0] if head.board else []


def snapshot(run: runs.Run) -> list[tuple[str, str, int | None]]:
    """Path in the run directory, S3 key and size of the snapshot's files."""
    body = bucket.read(bucket.snapshot(run.id), 1 << 26)
    if body is None:
        raise errors.Conflict(f"run {run.id} has no snapshot of the ranking")
    return [(path, key, size) for path, key, size in json.loads(body)]


def shown(head: table.WorkflowItem) -> tuple[runs.Run | None, runs.Run | None]:
    """The last good run and the newest run of a workflow's post-processing, in at most one read."""
    wanted = {name: table.run(ids.run_id(name)) for name in (head.good_run, head.active_run or head.last_run) if name}
    found = table.fetch(wanted.values()) if wanted else {}

    def of(name: Any) -> runs.Run | None:
        item = found.get(wanted.get(name, ("", "")))
        return run_items.from_item(item) if item else None

    return of(head.good_run), of(head.active_run or head.last_run)


def shown_whole(head: table.WorkflowItem) -> tuple[runs.Run | None, runs.Run | None]:
    """As `shown`, with the files that a handle has room for."""
    good, last = shown(head)
    return good and run_items.complete(good, FILES_BYTES), last and run_items.complete(last, FILES_BYTES)


def result(workflow: str) -> runs.Run:
    """The post-processing run whose results the workflow shows; raises NotFound."""
    good, _ = shown(workflow_items.get(workflow))
    if good is None:
        raise errors.NotFound(f"workflow '{workflow[:100]}' has no post-processing results")
    return good

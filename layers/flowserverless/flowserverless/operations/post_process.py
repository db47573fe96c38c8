"""Starts post-processing: a run over the best runs of a workflow's groups, owed when the list of them changes.

At most one is active per workflow. The ranking is read when its first step is staged, so whatever changed
until then is in it; what changes later makes the workflow owe one more, however often it changes. When nothing is
ranked, no run is started, and the results of runs that are gone go with them.
"""

import json
from datetime import datetime, timedelta

from flowserverless import clock, settings
from flowserverless.aws import step_functions
from flowserverless.domain import errors, ids, plans, post_processing, runs, versions, workflows
from flowserverless.domain.ranking import standing
from flowserverless.store import boards, bucket, run_items, transactions, version_items, workflow_items

# The best so many runs are post-processed: each of their files is an input that has to be signed and fetched.
MAX_RUNS = 1000


def start_if_owed(workflow: str, now: datetime) -> runs.Run | None:
    """Start post-processing when the ranking changed since it last ran and none is active; else do nothing.

    With nothing ranked, nothing is started or owed, and what earlier runs showed is withdrawn.
    """
    head = workflow_items.get(workflow)
    if not head.owed or head.active_run:
        return None
    current = version_items.get(workflow)
    if current.template.postproc is None:
        return None
    if not _best(head, 1):
        run_items.withdraw_post_processing(head, now)
        return None
    run = _plan(head, current, now)
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
    workflow_items.owe_post_processing(workflow, now)
    return start_if_owed(workflow, now)


def _plan(head: workflows.Workflow, version: versions.Version, now: datetime) -> runs.Run:
    planned = plans.postproc_plan(version.template)
    folder = version.template.postproc.inputs_runs if version.template.postproc else "runs"
    return runs.Run(
        id=str(ids.RunId(ids.Owner(head.id, post_processing=True), clock.new_ulid())),
        workflow=head.id,
        version=version.id,
        state=runs.State.PENDING,
        created_at=now,
        deadline=now + timedelta(seconds=settings.current().run_seconds),
        arguments=({"name": "runs", "value": folder},),
        executors=tuple(step.executor for step in planned),
        steps=tuple(runs.Step(step.name) for step in planned),
        ranking_version=head.ranking_version,
    )


def take_snapshot(run: runs.Run, version: versions.Version) -> int:
    """Write down which files of which ranked runs this run reads (flowServ's runs.json); the ranking version it is of.

    The version is read before the board, so the snapshot holds at least what the version stands for. Raises Conflict
    when the last ranked run has gone meanwhile; what is owed then is seen to by the reconciler.
    """
    head = workflow_items.get(run.workflow)
    wanted = version.template.ranked_files
    best = _best(head, MAX_RUNS)
    if not best:
        raise errors.Conflict(f"no run of workflow '{run.workflow}' is ranked any more")
    names = boards.group_names(run.workflow, {entry.group for entry in best})
    listing = bucket.ranked_runs(run.id)
    bucket.write_json(listing, post_processing.listed(best, names, list(wanted)))
    inputs: list[tuple[str, str, int | None]] = [("runs/runs.json", listing, None)]
    for entry in best:
        inputs += [(f"runs/{entry.run}/{name}", bucket.result(entry.run, path), None) for name, path in wanted.items()]
    bucket.write_json(bucket.snapshot(run.id), inputs)
    return head.ranking_version


def _best(head: workflows.Workflow, limit: int) -> list[standing.Entry]:
    """The best runs of the groups, in ranking order."""
    return boards.page(head.id, head.board, boards.BEST, limit)[0] if head.board else []


def snapshot(run: runs.Run) -> list[tuple[str, str, int | None]]:
    """Path in the run directory, S3 key and size of the snapshot's files."""
    body = bucket.read(bucket.snapshot(run.id), 1 << 26)
    if body is None:
        raise errors.Conflict(f"run {run.id} has no snapshot of the ranking")
    return [(path, key, size) for path, key, size in json.loads(body)]

"""Rankings under crowds: many runs that end at once, and many changes in a few seconds."""

import json
import math
import pathlib
import random
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowserverless.domain import groups, ids
from flowserverless.store import boards, run_items, table, workflow_items
from local import publish, stack
from support import packages, ranking_model, scenario

THREADS = 16
SCORES = (0.25, 0.5, 0.5, 0.75, math.inf, math.nan)
SECONDS = (None, 1, 2)


@pytest.fixture
def store(deployed: stack.Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data layer in this process, on the table of the deployed stack."""
    monkeypatch.setattr(table.Item.Meta, "table_name", deployed.table)
    monkeypatch.setattr(table.Item.Meta, "host", deployed.endpoint_url)
    # These runs have no execution. The stack's reconciler leaves alone what is not a minute old.
    monkeypatch.setattr(scenario, "START", datetime.now(UTC) + timedelta(hours=1))


def new_name() -> str:
    """A name that nothing has yet on a stack that lives longer than a test."""
    return f"w{uuid.uuid4().hex[:12]}x"


@dataclass(frozen=True)
class Change:
    """A run that ended or was deleted: as which change of its group, and whether it said that the ranking changed."""

    revision: int
    run: str
    deleted: bool
    changed: bool


class Revisions:
    """Which revision of its group the last transaction of this thread wrote."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.last = threading.local()
        self.revise = boards.revise
        monkeypatch.setattr(boards, "revise", self.note)

    def note(self, transaction: Any, group: groups.Group, *further: Any, **named: Any) -> None:
        self.last.revision = group.revision + 1
        self.revise(transaction, group, *further, **named)


def replay(changes: list[Change], told: dict[str, ranking_model.Finished]) -> int:
    """How often the best run of a group changed, when its changes are made one after the other; compares each."""
    count = 0
    for group in {one.group for one in told.values()}:
        present: list[ranking_model.Finished] = []
        own = sorted((one for one in changes if told[one.run].group == group), key=lambda one: one.revision)
        assert len({one.revision for one in own}) == len(own)
        for one in own:
            before = ranking_model.best(present)
            if one.deleted:
                present.remove(told[one.run])
            else:
                present.append(told[one.run])
            assert one.changed == (ranking_model.best(present) != before)
            count += one.changed
    return count


@pytest.mark.parametrize("deletes", [0.0, 0.4])
def test_runs_that_end_at_the_same_time_make_the_ranking_that_follows_from_them(
    store: None, monkeypatch: pytest.MonkeyPatch, deletes: float
) -> None:
    workflow = new_name()
    groups = [f"{workflow}{number}" for number in range(50)]
    chance = random.Random(4)
    scenario.put_workflow(workflow)
    revisions = Revisions(monkeypatch)

    def prepare(group: str) -> list[str]:
        scenario.put_groups(workflow, group)
        return [scenario.put_run(workflow, group) for _ in range(4)]

    with futures.ThreadPoolExecutor(THREADS) as pool:
        waiting = [run for runs in pool.map(prepare, groups) for run in runs]
    chance.shuffle(waiting)
    told = {}
    for number, run in enumerate(waiting):
        values: dict[str, Any] = {"score": chance.choice(SCORES), "seconds": chance.choice(SECONDS)}
        if chance.random() < 0.1:
            values = {"failing": "MISSING_COLUMN"}
        # Four at a time end at the same moment.
        at = scenario.moment(number // 4)
        told[run] = ranking_model.Finished(run, ids.run_id(run).owner.name, at, scenario.outcome(**values))
    doomed = {run for run in waiting if chance.random() < deletes}

    def end(number: int) -> list[Change]:
        run = waiting[number]
        outcome = told[run].outcome
        ended = scenario.end_run(run, number // 4, lambda board: (packages.SCHEMA, outcome), workflow)
        assert ended.won
        made = [Change(revisions.last.revision, run, False, ended.ranking_changed)]
        if run in doomed:
            changed = scenario.delete_run(run, workflow=workflow)
            made.append(Change(revisions.last.revision, run, True, changed))
        return made

    with futures.ThreadPoolExecutor(THREADS) as pool:
        changes = [change for made in pool.map(end, range(len(waiting))) for change in made]
    assert len(waiting) == 200
    assert workflow_items.get(workflow).ranking_version == replay(changes, told)
    ranking_model.check(workflow, [one for run, one in told.items() if run not in doomed])


PACKAGE = {
    **packages.RANKED,
    "postproc": {
        "workflow": {
            "steps": [
                {"name": "copy", "action": {"environment": "python:3.11", "commands": ["cp runs/runs.json all.json"]}}
            ]
        },
        "outputs": [{"source": "all.json"}],
    },
}


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Poll until a condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def publish_package(deployed: stack.Stack, folder: pathlib.Path, workflow: str, document: dict[str, Any]) -> None:
    """Publish a template as an organiser does."""
    (folder / "flowserv.json").write_text(json.dumps({"name": "Contest", "specfile": "workflow.json"}))
    (folder / "workflow.json").write_text(json.dumps(document))
    assert publish.publish(deployed, folder, workflow)["status"] == "accepted"


def physical_id(deployed: stack.Stack, logical_id: str) -> str:
    """The name or ARN of a resource of the stack."""
    client = deployed.client("cloudformation")
    resource = client.describe_stack_resource(StackName=deployed.name, LogicalResourceId=logical_id)
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])


def post_processing_runs(deployed: stack.Stack, workflow: str) -> list[str]:
    """All executions that there were."""
    pages = deployed.client("stepfunctions").get_paginator("list_executions")
    names = (
        execution["name"]
        for page in pages.paginate(stateMachineArn=deployed.state_machine_arn)
        for execution in page["executions"]
    )
    return [name for name in names if name.endswith(f"-postproc-{workflow}")]


def test_thirty_changes_in_three_seconds_are_post_processed_at_most_three_times(
    deployed: stack.Stack, store: None, tmp_path: pathlib.Path
) -> None:
    workflow = new_name()
    publish_package(deployed, tmp_path, workflow, PACKAGE)
    groups = [f"{workflow}{number}" for number in range(30)]
    scenario.put_groups(workflow, *groups)
    waiting = [scenario.put_run(workflow, group) for group in groups]
    request = {
        "FunctionName": physical_id(deployed, "PostProcessFunction"),
        "Payload": json.dumps({"workflow": workflow}),
    }
    functions = deployed.client("lambda")
    begun = time.monotonic()
    with futures.ThreadPoolExecutor(1) as executions:
        for number, run in enumerate(waiting):
            time.sleep(max(0.0, begun + number / 10 - time.monotonic()))
            assert scenario.end_run(run, workflow=workflow, score=0.5).ranking_changed
            # What the run's execution does at its end.
            executions.submit(functions.invoke, **request)
    took = time.monotonic() - begun
    wait_until(lambda: is_post_processed(workflow), 120)
    head = workflow_items.get(workflow)
    last = run_items.get(head.good_run)
    assert (head.ranking_version, last.ranking_version, head.last_run) == (30, 30, head.good_run)
    # Each waits for two seconds before it looks at the ranking, so that three are enough for three seconds.
    assert len(post_processing_runs(deployed, workflow)) <= 3 + max(0, took - 3) / 2
    listing = deployed.client("s3").get_object(Bucket=deployed.bucket, Key=f"runs/{last.id}/files/all.json")
    assert len(json.load(listing["Body"])) == 30


def test_a_version_that_reads_results_otherwise_takes_over_with_all_runs(
    deployed: stack.Stack, store: None, tmp_path: pathlib.Path
) -> None:
    workflow = new_name()
    publish_package(deployed, tmp_path, workflow, PACKAGE)
    old = str(workflow_items.get(workflow).board)
    groups = [f"{workflow}{number}" for number in range(3)]
    scenario.put_groups(workflow, *groups)
    for number, group in enumerate(groups * 2):
        run = scenario.put_run(workflow, group)
        document = {"metrics": {"score": number / 10}, "seconds": number}
        key = f"runs/{run}/files/results/score.json"
        deployed.client("s3").put_object(Bucket=deployed.bucket, Key=key, Body=json.dumps(document))
        scenario.end_run(run, at=number, workflow=workflow, score=number / 10, seconds=number)
    assert shown(deployed, workflow) == [5, 4, 3]
    by_time = packages.results_by("-seconds", "score")
    publish_package(deployed, tmp_path, workflow, {**PACKAGE, "results": by_time})
    wait_until(lambda: workflow_items.get(workflow).next_board is None, 120)
    assert shown(deployed, workflow) == [0, 1, 2]
    wait_until(lambda: is_post_processed(workflow), 120)
    assert workflow_items.get(workflow).good_run

    # The old board is kept for a while, for those who are reading it.
    left = table.get(table.rebuild(workflow, old))
    assert left is not None
    assert len(ranking_model.listed(workflow, old, "ALL")) == 6
    left.update(actions=[table.RebuildItem.due_at.set(scenario.moment(-(10**6)))])
    deployed.client("stepfunctions").start_execution(
        stateMachineArn=physical_id(deployed, "RebuildRankingStateMachine"), input=json.dumps({"workflow": workflow})
    )
    wait_until(lambda: table.get(table.rebuild(workflow, old)) is None, 120)
    parts = ("ALL", "BEST", *(f"G#{group}" for group in groups))
    assert [ranking_model.listed(workflow, old, part) for part in parts] == [[]] * 5


def shown(deployed: stack.Stack, workflow: str) -> list[int]:
    """The times of the lines on the leaderboard, as everybody can read them."""
    with urllib.request.urlopen(f"{deployed.api_url}/workflows/{workflow}/leaderboard") as answer:
        return [line["results"][1]["value"] for line in json.load(answer)["ranking"]]


def is_post_processed(workflow: str) -> bool:
    """Whether nothing is left to do for the ranking as it is."""
    head = workflow_items.get(workflow)
    return head.active_run is None and not head.owed

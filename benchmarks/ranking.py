"""What ranking costs when a leaderboard grows: from 100 entries of 10 groups to 100,000 entries of 1,000 groups.

The data layer runs in this process, on the DynamoDB of an emulator, which is a process of its own. Counted is what
every operation asks of the table: requests, bytes of the items it reads, and write units by the published formula
(every KB begun of the larger of an item before and after, twice in a transaction; indexes apart). `cpu` is this
process's time alone: how long the emulator takes, which grows with a partition, says nothing about DynamoDB.

For comparison, flowServ 0.9.4 on the same kind of machine, medians: a leaderboard of 10,000 runs takes 1.2 s, one of
100,000 runs 13.9 s and gigabytes; finishing one run of a workflow with 100,000 takes 14 to 43 s.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import math
import pathlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks import operations
from flowserverless.api import leaderboard
from flowserverless.domain import groups, ids, runs, versions
from flowserverless.domain.ranking import rank_keys, results, standing
from flowserverless.operations import metrics
from flowserverless.store import group_items, run_items, table, version_items, workflow_items
from local import emulator, template

SIZES = ((100, 10), (10_000, 100), (100_000, 1000))
ROUNDS = 30
MAX_GROWTH = 1.2
FLOWSERV_SECONDS = {"leaderboard": {10_000: "1.2", 100_000: "13.9"}, "finishing a run": {100_000: "14 to 43"}}

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = {
    "a": "finish, improving the group",
    "b": "finish, not improving it",
    "c": "top 10",
    "d": "best of every group",
}
SCHEMA = results.parse(
    {
        "file": "results/score.json",
        "schema": [
            {"name": "accuracy", "label": "Accuracy", "dtype": "float"},
            {"name": "seconds", "label": "Time", "dtype": "int"},
            {"name": "method", "label": "Method", "dtype": "string"},
        ],
        "orderBy": [{"name": "accuracy"}, {"name": "seconds", "sortDesc": False}],
    }
)


@dataclass
class Cost:
    """What operations asked of the table, and how long this process was busy with each."""

    calls: int = 0
    read: int = 0
    units: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """Milliseconds of an operation, the median."""
        return statistics.median(self.seconds) * 1000

    def values(self) -> tuple[float, float, float, float]:
        """Means and the median, for one operation."""
        times = len(self.seconds)
        return self.calls / times, self.read / times, self.units / times, self.cpu


class Meter:
    """Notes what the data layer's client does; looks items up with a client of its own, between the requests."""

    def __init__(self, url: str) -> None:
        self.looking = emulator.client("dynamodb", url)
        self.cost = Cost()
        self.before: list[tuple[dict[str, Any], int]] = []
        events = table.Item._get_connection().connection.client.meta.events
        events.register("before-parameter-build.dynamodb", self.begin)
        events.register("after-call.dynamodb", self.end)
        self.elsewhere = 0.0

    def begin(self, params: dict[str, Any], **_: Any) -> None:
        """Before a request: remember how large the items are that it changes."""
        with self.apart():
            self.cost.calls += 1
            actions = [next(iter(action.values())) for action in params.get("TransactItems", ())]
            self.before = [(key := _key(action), self.size(key)) for action in actions]

    def end(self, parsed: dict[str, Any], **_: Any) -> None:
        """After a request: count what it read and wrote."""
        with self.apart():
            found = [parsed["Item"]] if "Item" in parsed else list(parsed.get("Items", ()))
            for items in parsed.get("Responses", {}).values():
                found += items
            self.cost.read += sum(operations.size(item) for item in found)
            self.cost.units += sum(2 * math.ceil(max(size, self.size(key)) / 1024) for key, size in self.before)
            self.before = []

    def size(self, key: dict[str, Any]) -> int:
        """Bytes of an item, 0 if there is none."""
        found = self.looking.get_item(TableName=table.Item.Meta.table_name, Key=key, ConsistentRead=True)
        return operations.size(found.get("Item", {}))

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """What happens here is not the operation's."""
        begun = time.process_time()
        yield
        self.elsewhere += time.process_time() - begun

    def measure(self, cost: Cost, operation: Callable[[], Any]) -> None:
        """Do one operation."""
        self.cost, self.elsewhere = cost, 0.0
        gc.collect()
        begun = time.process_time()
        operation()
        cost.seconds.append(time.process_time() - begun - self.elsewhere)
        self.cost = Cost()


def _key(action: dict[str, Any]) -> dict[str, Any]:
    return action.get("Key") or {name: action["Item"][name] for name in ("pk", "sk")}


@dataclass
class Contest:
    """A workflow with a full leaderboard, and runs that are about to end."""

    workflow: str
    entries: int
    groups: list[str]
    waiting: list[str] = field(default_factory=list)

    def finish(self, accuracy: float) -> None:
        """End the next run, as update_run does once it has read the result file."""
        run = self.waiting.pop()
        values = (float(accuracy), 10, "baseline")
        ended = run_items.finish(
            run,
            self.workflow,
            lambda now: runs.end(now, runs.State.SUCCESS, _moment(self.entries)),
            lambda board: (metrics.schema(self.workflow, board), values),
        )
        assert ended.won
        assert ended.ranking_changed == (accuracy > 1)

    def show(self, limit: int) -> None:
        """Read the leaderboard."""
        board = leaderboard.show(self.workflow, None, False, limit, None)
        assert len(board["ranking"]) == min(limit, len(self.groups))


def main() -> None:
    """Fill the boards, measure on all of them in turn, and print what grew."""
    with tempfile.TemporaryDirectory(prefix="ranking-") as folder:
        home = pathlib.Path(folder)
        url = emulator.start(home, keep=False).url
        try:
            _create_table(url)
            contests = [filled(*size) for size in SIZES]
            costs = measured(contests, Meter(url))
        finally:
            emulator.stop(home)
    report(contests, costs)


def _create_table(url: str) -> None:
    meta: Any = table.Item.Meta
    meta.table_name, meta.host, meta.region = "ranking", url, emulator.REGION
    meta.aws_access_key_id = emulator.CREDENTIALS["AWS_ACCESS_KEY_ID"]
    meta.aws_secret_access_key = emulator.CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    (declared,) = template.resources("AWS::DynamoDB::Table").values()
    wanted = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
    client = emulator.client("dynamodb", url)
    client.create_table(TableName=meta.table_name, **{name: declared[name] for name in wanted})


def _moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def _run_id(group: str, number: int) -> str:
    return str(ids.RunId(ids.Owner(group), ids.ulid(1_767_225_600_000 + number, number.to_bytes(10))))


def filled(entries: int, of_groups: int) -> Contest:
    """A workflow with so many entries, written directly."""
    begun = time.monotonic()
    workflow = f"w{entries:06}"
    contest = Contest(workflow, entries, [f"{workflow}g{number:04}" for number in range(of_groups)])
    document = {"results": results.document(SCHEMA), "postproc": {"workflow": {}}}
    published, _ = version_items.publish(versions.Version(workflow, f"{entries:016}", workflow, document, START))
    board = str(published.board)
    best: dict[str, standing.Entry] = {}
    chance = random.Random(entries)
    with table.Item.batch_write() as batch:
        for number in range(entries):
            entry = _entry(contest, number, chance)
            batch.save(_item(entry, table.board(workflow, board, table.ALL)))
            batch.save(_item(entry, table.board(workflow, board, table.own(entry.group))))
            if entry.group not in best or entry.key < best[entry.group].key:
                best[entry.group] = entry
        for group, entry in best.items():
            batch.save(_item(entry, table.board(workflow, board, table.BEST)))
            written = _group(contest, group, {board: groups.Best(entry.key, entry.run)})
            batch.save(group_items.to_item(written))
            batch.save(group_items.line_item(written))
    contest.waiting = [_begin(contest, entries + number) for number in range(2 * (ROUNDS + 1))]
    print(f"{entries:>9,} entries of {of_groups:>5,} groups written in {time.monotonic() - begun:.0f} s", flush=True)
    return contest


def _entry(contest: Contest, number: int, chance: random.Random) -> standing.Entry:
    group = contest.groups[number % len(contest.groups)]
    run, at = _run_id(group, number), _moment(number)
    values = (round(chance.random(), 4), chance.randrange(10, 100), chance.choice(("baseline", "improved")))
    return standing.Entry(rank_keys.key(SCHEMA, values, at, run), run, group, at, at, at, values)


def _item(entry: standing.Entry, partition: str) -> table.EntryItem:
    return table.EntryItem(
        partition,
        entry.key,
        run=entry.run,
        group=entry.group,
        created_at=entry.created_at,
        started_at=entry.started_at,
        finished_at=entry.finished_at,
        values=list(entry.values),
    )


def _group(contest: Contest, group: str, bests: groups.Bests) -> groups.Group:
    return groups.Group(group, contest.workflow, f"Group {group}", "u-ada", START, bests=bests)


def _begin(contest: Contest, number: int) -> str:
    group = contest.groups[number % len(contest.groups)]
    run = runs.Run(
        id=_run_id(group, number),
        workflow=contest.workflow,
        version=workflow_items.get(contest.workflow).version,
        state=runs.State.RUNNING,
        created_at=_moment(number),
        started_at=_moment(number),
        deadline=_moment(number + 3600),
        group=group,
        started_by="u-ada",
        executors=("lambda",),
        steps=(runs.Step("score", runs.State.RUNNING, _moment(number)),),
    )
    run_items.create(run, None, 1000)
    return run.id


def measured(contests: list[Contest], meter: Meter) -> dict[tuple[str, int], Cost]:
    """Every operation on every board, in turns, so that all boards meet the same state of the machine."""
    costs = {(name, contest.entries): Cost() for name in NAMES for contest in contests}
    better = itertools.count(2)
    for contest in contests:
        # Makes connections and compiles patterns.
        contest.finish(next(better))
        contest.finish(-1)
        contest.show(10)
    for number in range(ROUNDS):
        for contest in contests:
            doing: dict[str, Callable[[], None]] = {
                "a": functools.partial(contest.finish, next(better)),
                "b": functools.partial(contest.finish, -1),
                "c": functools.partial(contest.show, 10),
            }
            if number % 5 == 0:
                doing["d"] = functools.partial(contest.show, 1000)
            for name, operation in doing.items():
                meter.measure(costs[name, contest.entries], operation)
    return costs


def report(contests: list[Contest], costs: dict[tuple[str, int], Cost]) -> None:
    """Tables, growth and verdicts."""
    smallest, largest = contests[0].entries, contests[-1].entries
    for name, title in NAMES.items():
        print(
            f"\n({name}) {title}\n{'entries':>12}{'groups':>9}{'calls':>9}{'bytes read':>12}{'units':>9}{'cpu ms':>9}"
        )
        for contest in contests:
            calls, read, units, cpu = costs[name, contest.entries].values()
            row = f"{calls:9.1f}{read:12.0f}{units:9.1f}{cpu:9.2f}"
            print(f"{contest.entries:>12,}{len(contest.groups):>9,}{row}")
        pairs = zip(costs[name, smallest].values(), costs[name, largest].values(), strict=True)
        growth = [after / before if before else 1.0 for before, after in pairs]
        print(f"{'growth':>21}{growth[0]:8.2f}x{growth[1]:11.2f}x{growth[2]:8.2f}x{growth[3]:8.2f}x", end="")
        met = growth[0] == 1 and max(growth[1:]) <= MAX_GROWTH
        print(f"  calls 1.0x, others at most {MAX_GROWTH}x: {'met' if met else 'MISSED'}" if name != "d" else "")
    print("\nflowServ 0.9.4, medians")
    for what, medians in FLOWSERV_SECONDS.items():
        for entries, seconds in medians.items():
            print(f"{entries:>12,} entries: {what} {seconds} s")

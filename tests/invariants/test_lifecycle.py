"""Whatever happens to runs, in any order, twice or late: they are what a plain model says they are."""

import hypothesis
import pytest
from hypothesis import stateful, strategies

from flowserverless.aws import step_functions
from flowserverless.domain import errors
from flowserverless.store import bucket, group_items
from support import moto_state, ranking_model, scenario

GROUPS = ("a", "b")
QUOTA = 3
DEADLINE = 10_000
GRACE, STALE = 60, 3600
BODIES = ({"config": {"timeoutSeconds": DEADLINE}}, {"config": {"timeoutSeconds": DEADLINE, "engine": "stepfunctions"}})


class Modelled:
    """A run as the model knows it; `ended` is when, `execution` its status, None when there is none."""

    def __init__(self, group, created):
        self.group, self.created = group, created
        self.state, self.execution, self.ended, self.reason, self.score = "PENDING", "RUNNING", None, None, None

    @property
    def active(self):
        return self.ended is None

    def end(self, state, now, reason=None):
        self.state, self.ended, self.reason = state, now, reason


@pytest.fixture
def world(world, monkeypatch):
    world.now = scenario.START
    monkeypatch.setenv("MAX_ACTIVE_RUNS", str(QUOTA))
    scenario.put_workflow()
    scenario.put_groups("w", *GROUPS)
    return world


class Lifecycle(stateful.RuleBasedStateMachine):
    """Each rule does one thing to the service and to the model, and says what the service has to answer."""

    world: scenario.World
    beginning: moto_state.Snapshot
    known = stateful.Bundle("runs")

    def __init__(self):
        super().__init__()
        self.beginning.restore()
        self.world.now = scenario.START
        self.runs, self.gone, self.keys = {}, {}, {}

    def now(self):
        return (self.world.now - scenario.START).total_seconds()

    def active(self, group):
        return sum(run.active for run in self.runs.values() if run.group == group)

    @stateful.rule(
        target=known,
        group=strategies.sampled_from(GROUPS),
        key=strategies.sampled_from([None, "k", "ключ"]),
        body=strategies.sampled_from(BODIES),
        lost=strategies.booleans(),
    )
    def start(self, group, key, body, lost):
        with pytest.MonkeyPatch.context() as patch:
            if lost:
                patch.setattr(step_functions, "start", lambda run: None)
            answer = self.world.try_start(group, key, **body)
        first, payload = self.keys.get((group, key), (None, body))
        if first:
            if payload != body:
                assert answer.json["code"] == "IDEMPOTENCY_KEY_REUSED"
            elif first in self.gone:
                assert answer.json["code"] == "RUN_IS_DELETED"
            else:
                assert (answer.status, answer.json["id"]) == (201, first)
                if self.runs[first].state == "PENDING" and not lost:
                    self.runs[first].execution = self.runs[first].execution or "RUNNING"
            return stateful.multiple(first)
        if self.active(group) == QUOTA:
            assert (answer.status, answer.json["code"]) == (429, "TOO_MANY_RUNS")
            return stateful.multiple()
        assert (answer.status, answer.json["state"]) == (201, "PENDING")
        run = answer.json["id"]
        assert run not in {*self.runs, *self.gone}
        self.runs[run] = Modelled(group, self.now())
        if lost:
            self.runs[run].execution = None
        if key:
            self.keys[group, key] = run, body
        return run

    @stateful.rule(run=known)
    def cancel(self, run):
        answer, model = self.world.cancel(run, "enough"), self.runs.get(run)
        if model is None:
            assert answer.status == 404
        elif model.active:
            assert (answer.status, answer.json["state"]) == (200, "CANCELED")
            model.end("CANCELED", self.now(), "CANCELED")
            model.execution = model.execution and "ABORTED"
        else:
            assert (answer.status, answer.json["code"]) == (409, "RUN_IS_FINAL")

    @stateful.rule(run=known)
    def delete(self, run):
        answer, model = self.world.delete(run), self.runs.get(run)
        if model is None:
            assert answer.status == 404
        elif model.active:
            assert (answer.status, answer.json["code"]) == (409, "RUN_IS_ACTIVE")
        else:
            assert answer.status == 204
            self.gone[run] = self.runs.pop(run)

    @stateful.rule(run=known)
    def stage_step(self, run):
        model = self.runs.get(run)
        if model and model.active:
            self.world.stage(run)
            model.state = "RUNNING"
        else:
            with pytest.raises(errors.Conflict if model else errors.NotFound):
                self.world.stage(run)

    @stateful.rule(run=known, score=strategies.sampled_from([0.1, 0.5, 0.5, 0.9]))
    def succeed(self, run, score):
        answer, model = self.world.succeed(run, score), self.runs.get(run)
        if model and model.active:
            model.end("SUCCESS", self.now())
            model.score = score
        assert answer["state"] == (model.state if model else "DELETED")

    @stateful.rule(run=known)
    def fail(self, run):
        answer, model = self.world.end(run, scenario.FAILED), self.runs.get(run)
        if model and model.active:
            model.end("ERROR", self.now(), "STEP_FAILED")
        assert answer["state"] == (model.state if model else "DELETED")

    @stateful.rule(run=known, status=strategies.sampled_from(["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"]))
    def end_execution(self, run, status):
        model = self.runs.get(run) or self.gone[run]
        if model.execution == "RUNNING":
            moto_state.end_execution(run, status)
            model.execution = status

    @stateful.rule(run=known, status=strategies.sampled_from(["FAILED", "ABORTED", "TIMED_OUT"]))
    def tell(self, run, status):
        """Perhaps again, perhaps late, perhaps wrong."""
        assert self.world.tell(run, status) == {"runs": int(run in self.runs and self.reconcile_one(run))}

    @stateful.rule()
    def reconcile(self):
        counts = self.world.reconcile()
        due = [run for run, model in self.runs.items() if model.active]
        assert counts.get("runs", 0) == sum(self.reconcile_one(run) for run in due)
        assert "failed" not in counts

    def reconcile_one(self, run):
        """What the reconciler has to do about a run; whether that is anything."""
        model, now = self.runs[run], self.now()
        age = now - model.created
        if not model.active:
            return False
        if age >= DEADLINE:
            model.end("ERROR", now, "TIMEOUT")
            model.execution = model.execution and "ABORTED"
            return True
        if model.execution == "RUNNING":
            return False
        if model.execution is None and model.state == "PENDING" and age < STALE:
            model.execution = "RUNNING" if age >= GRACE else None
            return age >= GRACE
        timed_out = model.execution == "TIMED_OUT"
        model.end("ERROR", now, "TIMEOUT" if timed_out else "SYSTEM_ERROR")
        return True

    @stateful.rule(seconds=strategies.sampled_from([1, GRACE, STALE, DEADLINE]))
    def wait(self, seconds):
        self.world.wait(seconds)

    @stateful.invariant()
    def everything_is_as_modelled(self):
        self.world.wait(0.001)
        scores = {run: model.score for run, model in self.runs.items()}
        finished = []
        for group in GROUPS:
            found = {run.id: run for run in scenario.runs_of(group)}
            assert set(found) == {run for run, model in self.runs.items() if model.group == group}
            for run in found.values():
                self.compare(run, self.runs[run.id])
            assert group_items.get(group).active_runs == self.active(group)
            finished += ranking_model.succeeded(group, scores)
        ranking_model.check("w", finished)

    def compare(self, run, model):
        assert (run.state, run.reason and run.reason.code) == (model.state, model.reason)
        assert run.finished_at == (model.ended and scenario.moment(model.ended))
        status = moto_state.status(run.id)
        assert (status == "RUNNING") == (model.execution == "RUNNING")
        assert (status is None) == (model.execution is None)

    def teardown(self):
        """In the end nothing is left over."""
        self.world.wait(DEADLINE)
        self.reconcile()
        self.world.carry_out_removals()
        self.world.wait(DEADLINE)
        self.world.reconcile()
        self.world.carry_out_removals()
        self.world.carry_out_listings()
        assert scenario.due() == {}
        assert {group: group_items.get(group).active_runs for group in GROUPS} == dict.fromkeys(GROUPS, 0)
        assert {name for name, sent in moto_state.inputs().items() if "executors" in sent} <= {*self.runs, *self.gone}
        assert {found.path.split("/")[0] for found in bucket.listing("runs/")} <= set(self.runs)


def test_lifecycle(world, monkeypatch):
    monkeypatch.setattr(Lifecycle, "world", world, raising=False)
    monkeypatch.setattr(Lifecycle, "beginning", moto_state.Snapshot(), raising=False)
    bounds = hypothesis.settings(max_examples=25, stateful_step_count=15)
    stateful.run_state_machine_as_test(Lifecycle, settings=bounds)

"""Starting once: an Idempotency-Key stands for one run, however often and however concurrently it is sent."""

import threading
from concurrent import futures

import pytest
from moto.core import botocore_stubber

from flowserverless.domain import ids
from flowserverless.store import run_items, transactions
from support import moto_state, scenario

REQUESTS = 50
OTHER = {"config": {"timeoutSeconds": 60}}


@pytest.fixture
def world(world):
    world.now = scenario.START
    scenario.put_workflow()
    scenario.put_groups("w", "a", "b")
    return world


@pytest.fixture
def one_request_at_a_time(monkeypatch):
    """AWS does each request entirely or not at all; moto mixes up transactions of several threads."""
    lock, answer = threading.Lock(), botocore_stubber.BotocoreStubber.__call__

    def take_turns(*request, **more):
        with lock:
            return answer(*request, **more)

    monkeypatch.setattr(botocore_stubber.BotocoreStubber, "__call__", take_turns)


def started(group):
    found, _ = run_items.newest(ids.Owner(group), 1000, None, None)
    return [run.id for run in found]


def test_concurrent_starts_with_one_key_are_one_run_with_one_execution(world, one_request_at_a_time):
    together = threading.Barrier(REQUESTS, timeout=60)

    def start(_):
        together.wait()
        return world.try_start("a", "once")

    with futures.ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(start, range(REQUESTS)))
    assert {answer.status for answer in answers} == {201}
    (run,) = {answer.json["id"] for answer in answers}
    assert started("a") == [run]
    assert list(moto_state.inputs()) == [run]
    assert scenario.active_runs("a") == 1


def test_a_repeat_answers_the_run_as_it_is_now(world):
    first = world.try_start("a", "k")
    assert first.json["state"] == "PENDING"
    run = first.json["id"]
    world.succeed(run, 0.5)
    again = world.try_start("a", "k")
    assert (again.status, again.json["id"], again.json["state"]) == (201, run, "SUCCESS")
    assert started("a") == [run]


def test_the_same_key_with_another_payload_is_refused(world):
    run = world.try_start("a", "k").json["id"]
    answer = world.try_start("a", "k", **OTHER)
    assert (answer.status, answer.json["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert answer.json["run"] == run
    assert run in answer.json["detail"]
    assert started("a") == [run]
    assert scenario.active_runs("a") == 1


def test_a_payload_is_the_same_however_it_is_spelled(world):
    first = world.try_start("a", "k", config={"engine": "stepfunctions", "timeoutSeconds": 60})
    again = world.try_start("a", "k", config={"timeoutSeconds": 60, "engine": "stepfunctions"})
    assert first.json["id"] == again.json["id"]


def test_another_group_another_key_or_no_key_is_another_run(world):
    answers = [world.try_start(*request) for request in (("a", "k"), ("b", "k"), ("a", "l"), ("a",), ("a",))]
    assert len({answer.json["id"] for answer in answers}) == 5


@pytest.mark.parametrize("key", ["x", "x" * 255, "schlüssel/ключ 鍵 🔑", "a#b", '"quoted", with comma'])
def test_any_text_of_255_characters_is_a_key(world, key):
    first, again = world.try_start("a", key), world.try_start("a", key)
    assert (first.status, again.status) == (201, 201)
    assert first.json["id"] == again.json["id"]
    assert world.try_start("a", key + "x" if len(key) < 255 else "y" + key[1:]).json["id"] != first.json["id"]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none_is_refused(world, key):
    assert world.try_start("a", key).status == 400
    assert started("a") == []


def test_a_key_expires_though_dynamodb_has_not_removed_it_yet(world):
    first = world.try_start("a", "k").json["id"]
    world.wait(7 * 86400 - 1)
    assert world.try_start("a", "k").json["id"] == first
    world.wait(1)
    second = world.try_start("a", "k", **OTHER).json["id"]
    assert second != first
    assert world.try_start("a", "k", **OTHER).json["id"] == second
    assert scenario.active_runs("a") == 2


def test_a_key_of_a_run_that_was_deleted_says_so(world):
    run = world.try_start("a", "k").json["id"]
    world.succeed(run, 0.5)
    world.delete(run)
    answer = world.try_start("a", "k")
    assert (answer.status, answer.json["code"], answer.json["run"]) == (409, "RUN_IS_DELETED", run)
    assert started("a") == []


def test_a_group_has_no_keys_of_one_that_was_deleted(world):
    run = world.try_start("a", "k").json["id"]
    assert world.cancel(run).status == 200
    assert world.delete(run).status == 204
    deleted = world.ask("delete_group", "DELETE", "/groups/{groupId}", {"groupId": "a"})
    assert deleted.status == 204
    world.wait(1)
    body = {"name": "again", "identifier": "a"}
    at = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    assert world.ask("create_group", "POST", *at, body=body).status == 201
    for sent in ({}, OTHER):
        assert world.try_start("a", f"k {sent}", **sent).status == 201
    again = world.try_start("a", "k")
    assert (again.status, again.json["id"] != run) == (201, True)
    assert world.try_start("a", "k").json["id"] == again.json["id"]


def test_a_repeat_starts_the_execution_that_the_first_call_could_not(world, monkeypatch):
    with monkeypatch.context() as during:
        during.setattr("flowserverless.aws.step_functions.start", lambda run: None)
        run = world.try_start("a", "k").json["id"]
    assert moto_state.status(run) is None
    assert world.try_start("a", "k").json["id"] == run
    assert moto_state.status(run) == "RUNNING"


def test_a_key_taken_between_look_and_write_answers_the_run_of_the_first(world, monkeypatch):
    commit, first = transactions.commit, []

    def late(compose):
        monkeypatch.setattr(transactions, "commit", commit)
        first.append(world.try_start("a", "k").json["id"])
        commit(compose)

    monkeypatch.setattr(transactions, "commit", late)
    assert world.try_start("a", "k").json["id"] == first[0]
    assert started("a") == first
    assert list(moto_state.inputs()) == first
    assert scenario.active_runs("a") == 1


def test_a_refused_start_leaves_the_key_free(world, monkeypatch):
    monkeypatch.setenv("MAX_ACTIVE_RUNS", "1")
    run = world.started("a")
    refused = world.try_start("a", "k")
    assert (refused.status, refused.json["code"]) == (429, "TOO_MANY_RUNS")
    world.cancel(run)
    assert world.try_start("a", "k").status == 201
    assert scenario.active_runs("a") == 1

"""Starting once: an Idempotency-Key stands for one run, however often and however concurrently it is sent."""

import threading
from concurrent import futures

import pytest
from moto.core import botocore_stubber

from flowserverless.domain import ids
from flowserverless.store import run_items, transactions
from support import contest
from support import service as on_moto

REQUESTS = 50
OTHER = {"config": {"timeoutSeconds": 60}}


@pytest.fixture
def service(invoke, monkeypatch, table, bucket, state_machine):
    contest.publish()
    contest.join("w", "a", "b")
    return on_moto.Service(invoke, monkeypatch)


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


def test_concurrent_starts_with_one_key_are_one_run_with_one_execution(service, one_request_at_a_time):
    together = threading.Barrier(REQUESTS, timeout=60)

    def start(_):
        together.wait()
        return service.start("a", "once")

    with futures.ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(start, range(REQUESTS)))
    assert {answer.status for answer in answers} == {201}
    (run,) = {answer.json["id"] for answer in answers}
    assert started("a") == [run]
    assert list(on_moto.inputs()) == [run]
    assert on_moto.active_runs("a") == 1


def test_a_repeat_answers_the_run_as_it_is_now(service):
    first = service.start("a", "k")
    assert first.json["state"] == "PENDING"
    run = first.json["id"]
    service.succeed(run, 0.5)
    again = service.start("a", "k")
    assert (again.status, again.json["id"], again.json["state"]) == (201, run, "SUCCESS")
    assert started("a") == [run]


def test_the_same_key_with_another_payload_is_refused(service):
    run = service.start("a", "k").json["id"]
    answer = service.start("a", "k", **OTHER)
    assert (answer.status, answer.json["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert answer.json["run"] == run
    assert run in answer.json["detail"]
    assert started("a") == [run]
    assert on_moto.active_runs("a") == 1


def test_a_payload_is_the_same_however_it_is_spelled(service):
    first = service.start("a", "k", config={"engine": "stepfunctions", "timeoutSeconds": 60})
    again = service.start("a", "k", config={"timeoutSeconds": 60, "engine": "stepfunctions"})
    assert first.json["id"] == again.json["id"]


def test_another_group_another_key_or_no_key_is_another_run(service):
    answers = [service.start(*request) for request in (("a", "k"), ("b", "k"), ("a", "l"), ("a",), ("a",))]
    assert len({answer.json["id"] for answer in answers}) == 5


@pytest.mark.parametrize("key", ["x", "x" * 255, "schlüssel/ключ 鍵 🔑", "a#b", '"quoted", with comma'])
def test_any_text_of_255_characters_is_a_key(service, key):
    first, again = service.start("a", key), service.start("a", key)
    assert (first.status, again.status) == (201, 201)
    assert first.json["id"] == again.json["id"]
    assert service.start("a", key + "x" if len(key) < 255 else "y" + key[1:]).json["id"] != first.json["id"]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none_is_refused(service, key):
    assert service.start("a", key).status == 400
    assert started("a") == []


def test_a_key_expires_though_dynamodb_has_not_removed_it_yet(service):
    first = service.start("a", "k").json["id"]
    service.wait(7 * 86400 - 1)
    assert service.start("a", "k").json["id"] == first
    service.wait(1)
    second = service.start("a", "k", **OTHER).json["id"]
    assert second != first
    assert service.start("a", "k", **OTHER).json["id"] == second
    assert on_moto.active_runs("a") == 2


def test_a_key_of_a_run_that_was_deleted_says_so(service):
    run = service.start("a", "k").json["id"]
    service.succeed(run, 0.5)
    service.delete(run)
    answer = service.start("a", "k")
    assert (answer.status, answer.json["code"], answer.json["run"]) == (409, "RUN_IS_DELETED", run)
    assert started("a") == []


def test_a_group_has_no_keys_of_one_that_was_deleted(service):
    run = service.start("a", "k").json["id"]
    assert service.cancel(run).status == 200
    assert service.delete(run).status == 204
    deleted = service.call("delete_group", "DELETE", "/groups/{groupId}", {"groupId": "a"})
    assert deleted.status == 204
    service.wait(1)
    body = {"name": "again", "identifier": "a"}
    at = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    assert service.call("create_group", "POST", *at, body=body).status == 201
    for sent in ({}, OTHER):
        assert service.start("a", f"k {sent}", **sent).status == 201
    again = service.start("a", "k")
    assert (again.status, again.json["id"] != run) == (201, True)
    assert service.start("a", "k").json["id"] == again.json["id"]


def test_a_repeat_starts_the_execution_that_the_first_call_could_not(service, monkeypatch):
    with monkeypatch.context() as during:
        during.setattr("flowserverless.aws.step_functions.start", lambda run: None)
        run = service.start("a", "k").json["id"]
    assert on_moto.status(run) is None
    assert service.start("a", "k").json["id"] == run
    assert on_moto.status(run) == "RUNNING"


def test_a_key_taken_between_look_and_write_answers_the_run_of_the_first(service, monkeypatch):
    commit, first = transactions.commit, []

    def late(compose):
        monkeypatch.setattr(transactions, "commit", commit)
        first.append(service.start("a", "k").json["id"])
        commit(compose)

    monkeypatch.setattr(transactions, "commit", late)
    assert service.start("a", "k").json["id"] == first[0]
    assert started("a") == first
    assert list(on_moto.inputs()) == first
    assert on_moto.active_runs("a") == 1


def test_a_refused_start_leaves_the_key_free(service, monkeypatch):
    monkeypatch.setenv("MAX_ACTIVE_RUNS", "1")
    run = service.started("a")
    refused = service.start("a", "k")
    assert (refused.status, refused.json["code"]) == (429, "TOO_MANY_RUNS")
    service.cancel(run)
    assert service.start("a", "k").status == 201
    assert on_moto.active_runs("a") == 1

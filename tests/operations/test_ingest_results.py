"""External engines: a delivery becomes the results of a run, whole and once, or a report says why nothing changed."""

import json
import threading
from datetime import timedelta

import pytest

from flowserverless import clock
from flowserverless.aws import clients
from flowserverless.domain import runs
from flowserverless.operations import leave
from flowserverless.store import run_items
from support import gateway, packages, scenario

FILES = {
    "results/scores.json": b'{"score": 0.75}',
    "results/plots/a.svg": b"<svg/>",
    "results/plots/b.svg": b"<svg></svg>",
}


@pytest.fixture
def world(world):
    world.publish(packages.DELIVERED)
    return world


def inbox(run, name=""):
    return f"inbox/results/{run}/{name}"


def deliver(world, run, files=FILES, marker="_SUCCESS", said=b""):
    """Deliver as an engine does, and answer the report."""
    for path, content in files.items():
        world.put(inbox(run, path), content)
    return drop(world, run, marker, said)


def drop(world, run, marker="_SUCCESS", said=b""):
    key = inbox(run, marker)
    world.put(key, said)
    answer = world.invoke("ingest_results", packages.dropped(world.bucket, key))
    if "at" in answer:
        assert json.loads(world.get(f"{key}.report.json")) == answer
    return answer


def state_of(world, run):
    """All that a refused delivery must leave as it is."""
    there = {key: world.get(key) for key in world.listed() if not key.endswith(".report.json")}
    return there, run_items.get(run), list(world.resumed)


def test_a_delivery_becomes_the_results_of_the_run(world):
    run = world.start_external()
    assert world.run(run)["state"] == "RUNNING"

    report = deliver(world, run)

    assert (report["status"], report["files"], report["bytes"]) == ("accepted", 3, sum(map(len, FILES.values())))
    assert world.listed(inbox(run)) == [inbox(run, "_SUCCESS.report.json")]
    (outcome,) = world.resumed
    world.end(run, outcome=outcome)
    handle = world.run(run)
    assert (handle["state"], handle["ranking"]["status"]) == ("SUCCESS", "ranked")
    assert {file["name"]: file["size"] for file in handle["files"]} == {name: len(body) for name, body in FILES.items()}
    assert handle["steps"][0]["state"] == "SUCCESS"
    assert {key: world.get(key) for key in world.listed(f"runs/{run}/files/")} == {
        f"runs/{run}/files/{name}": body for name, body in FILES.items()
    }


def test_metrics_in_the_marker_are_written_as_the_result_file(world):
    run = world.start_external()
    plots = {name: body for name, body in FILES.items() if "plots" in name}

    report = deliver(world, run, plots, said=json.dumps({"metrics": {"score": 0.5, "note": "\ud800"}}))

    assert report["status"] == "accepted"
    assert json.loads(world.get(f"runs/{run}/files/results/scores.json"))["score"] == 0.5


def test_a_delivered_result_file_counts_more_than_metrics(world):
    run = world.start_external()
    deliver(world, run, said=b'{"metrics": {"score": 0.1}}')
    assert world.get(f"runs/{run}/files/results/scores.json") == FILES["results/scores.json"]


def test_markers_may_hold_anything(world):
    for said in [b"", b"{}", b"\xef\xbb\xbf{}", b'{"name": "S3A committer"}', b"done", b"[1]", b"[" * 10**5]:
        assert deliver(world, world.start_external(), said=said)["status"] == "accepted"


SAID = [
    (b'{"messages": ["no licence", "node 7 is gone"]}', ["no licence", "node 7 is gone"]),
    (b"segmentation fault\n", ["segmentation fault"]),
    (b"", []),
    (b'{"messages": "one text"}', ["one text"]),
    (b'{"messages": ["", 7, null]}', ["7", "None"]),
    (b'{"messages": ["\\ud800"]}', ["?"]),
]


def test_an_error_marker_ends_the_run_with_its_messages(world):
    for said, messages in SAID:
        run = world.start_external()

        report = deliver(world, run, {"log.txt": b"what there was"}, "_ERROR", said)

        assert report["status"] == "accepted"
        world.end(run, outcome=world.resumed[-1])
        handle = world.run(run)
        assert (handle["state"], handle["reason"]["code"]) == ("ERROR", "STEP_FAILED")
        assert handle["messages"][1:] == messages
        assert [file["name"] for file in handle["files"]] == ["log.txt"]


def test_messages_are_bounded(world):
    run = world.start_external()
    drop(world, run, "_ERROR", json.dumps({"messages": ["\U0001f525" * 5000] * 50}))
    world.end(run, outcome=world.resumed[0])
    messages = world.run(run)["messages"]
    assert all(len(message) <= 2100 for message in messages)
    assert messages[-1] == "... and 49 more messages"


def test_a_failure_is_believed_whatever_was_delivered(world):
    run = world.start_external()

    report = deliver(world, run, {"good.txt": b"1", "../climbs.txt": b"2", "a": b"3", "a/b": b"4"}, "_ERROR")

    assert report["status"] == "accepted"
    assert world.listed(f"runs/{run}/files/") == [f"runs/{run}/files/a", f"runs/{run}/files/good.txt"]


def test_a_marker_before_the_files_waits_for_them(world):
    run = world.start_external()
    before = run_items.get(run)

    early = drop(world, run)

    assert (early["status"], early["code"]) == ("ignored", "INCOMPLETE")
    assert "results/scores.json" in early["detail"]
    assert "results/plots/" in early["detail"]
    assert (run_items.get(run), world.resumed) == (before, [])
    assert deliver(world, run)["status"] == "accepted"


def test_a_marker_that_came_before_the_execution_waits_is_found_by_it(world):
    run = world.start(config={"engine": "external"})["id"]
    assert deliver(world, run)["status"] == "waiting"
    assert f"{inbox(run)}_SUCCESS.report.json" not in world.listed()

    assert world.await_results(run)["status"] == "accepted"

    assert len(world.resumed) == 1
    assert world.listed(f"runs/{run}/files/results/plots/") != []


def test_the_same_event_twice_is_taken_once(world):
    run = world.start_external()
    event = packages.dropped(world.bucket, inbox(run, "_SUCCESS"))
    first = deliver(world, run)
    assert world.invoke("ingest_results", event) == {"status": "gone"}
    assert json.loads(world.get(inbox(run, "_SUCCESS.report.json"))) == first
    assert len(world.resumed) == 1


def test_delivered_twice_the_first_counts(world):
    run = world.start_external()
    deliver(world, run)
    published = {key: world.get(key) for key in world.listed("runs/")}
    other = {**FILES, "results/scores.json": b'{"score": 1000}'}

    again = deliver(world, run, other, said=b'{"try": 2}')

    assert (again["status"], again["code"]) == ("ignored", "DELIVERED_BEFORE")
    # One and the same marker within a second cannot be told from the first, but changes nothing either.
    deliver(world, run, other)
    assert {key: world.get(key) for key in world.listed("runs/")} == published
    world.end(run, outcome=world.resumed[0])
    assert deliver(world, run, other, said=b'{"try": 3}')["status"] == "ignored"
    assert {key: world.get(key) for key in world.listed("runs/")} == published | {
        key: world.get(key) for key in [f"runs/{run}/archive.tar.gz"]
    }
    assert len(world.resumed) == 1


@pytest.mark.long
def test_a_delivery_that_was_interrupted_is_carried_on(world):
    """The function dies after each of its calls of S3 in turn; Lambda repeats the event."""
    calls = prepared(world, world.start_external(), lambda event: count_calls(world, event))
    assert calls > 10
    for last in range(1, calls + 1):
        run = world.start_external()
        prepared(world, run, lambda event, last=last: die_after(world, event, last))

        world.invoke("ingest_results", packages.dropped(world.bucket, inbox(run, "_SUCCESS")))

        assert json.loads(world.get(inbox(run, "_SUCCESS.report.json")))["status"] == "accepted", last
        assert world.listed(inbox(run)) == [inbox(run, "_SUCCESS.report.json")]
        assert {key: world.get(key) for key in world.listed(f"runs/{run}/files/")} == {
            f"runs/{run}/files/{name}": body for name, body in FILES.items()
        }
    assert len(world.resumed) == calls + 1


def prepared(world, run, act):
    for path, content in FILES.items():
        world.put(inbox(run, path), content)
    world.put(inbox(run, "_SUCCESS"))
    return act(packages.dropped(world.bucket, inbox(run, "_SUCCESS")))


def count_calls(world, event, last=None):
    """How many calls of S3 it takes to take a delivery, when the function dies after call `last`."""
    made = []

    def calling(**_):
        made.append(1)
        if len(made) == last:
            raise InterruptedError

    events = clients.client("s3").meta.events
    events.register("after-call.s3", calling)
    try:
        world.invoke("ingest_results", event)
    finally:
        events.unregister("after-call.s3", calling)
    return len(made)


def die_after(world, event, last):
    with pytest.raises(InterruptedError):
        count_calls(world, event, last)


def test_late_results_of_a_canceled_run_change_nothing(world):
    run = world.start_external()
    world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={})
    for path, content in FILES.items():
        world.put(inbox(run, path), content)
    world.put(inbox(run, "_SUCCESS"))
    before = state_of(world, run)

    report = drop(world, run)

    assert (report["status"], report["code"]) == ("ignored", "RUN_IS_FINAL")
    assert "CANCELED" in report["detail"]
    assert state_of(world, run) == before


def test_a_run_that_is_canceled_while_its_results_are_moved_stays_canceled(world, monkeypatch):
    run = world.start_external()

    def canceling(*_):
        world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={})
        return False

    monkeypatch.setattr("flowserverless.aws.step_functions.resume", canceling)

    for _ in range(2):
        assert deliver(world, run)["code"] == "RUN_IS_FINAL"
        assert world.run(run)["state"] == "CANCELED"


def test_an_execution_that_begins_to_wait_for_a_canceled_run_goes_on(world):
    run = world.start(config={"engine": "external"})["id"]
    world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={})
    assert world.await_results(run) == {"status": "ended"}
    assert world.resumed[0]["reason"]["code"] == "CANCELED"
    assert run_items.get(run).ingest_token is None


def test_results_for_no_run_get_a_report(world):
    for run in ["TSV4RRFFQ69G5FAV01ARZ3NDEK-nobody", "nonsense", "..", "bench-lower", "a b ü"]:
        report = deliver(world, run)
        assert (report["status"], report["code"]) == ("ignored", "NOT_FOUND")
    assert world.resumed == []


def test_runs_of_this_engine_take_no_results(world):
    run = world.start()["id"]
    before = run_items.get(run)
    assert deliver(world, run)["code"] == "NOT_EXTERNAL"
    assert (run_items.get(run), world.listed("runs/")) == (before, [])


BAD = [
    "../../runs/other/files/x",
    "a/../../x",
    "/absolute",
    "a//b",
    "./a",
    "a/./b",
    "back\\slash",
    "new\nline",
    ".flowserverless/context.json",
    "-rf",
    "results/scores.json/below",
    "x" * 256,
]


def test_names_that_no_run_may_have_refuse_the_delivery(world):
    run = world.start_external()
    for path, content in {**FILES, "_SUCCESS": b""}.items():
        world.put(inbox(run, path), content)
    for name in BAD:
        world.put(inbox(run, name), b"evil")
        before = state_of(world, run)

        report = drop(world, run)

        assert (report["status"], report["code"]) == ("ignored", "FILES_REFUSED")
        assert repr(name[:200]) in report["detail"]
        assert state_of(world, run) == before
        world.s3.delete_object(Bucket=world.bucket, Key=inbox(run, name))
    assert drop(world, run)["status"] == "accepted"


@pytest.mark.parametrize(("limit", "value"), [("INGEST_FILES", "2"), ("INGEST_BYTES", "20")])
def test_more_than_a_run_may_have_refuses_the_delivery(world, monkeypatch, limit, value):
    monkeypatch.setenv(limit, value)
    run = world.start_external()
    report = deliver(world, run)
    assert (report["status"], report["code"], world.listed(f"runs/{run}/")) == ("ignored", "FILES_REFUSED", [])
    assert value in report["detail"]

    # A failure is taken without its files.
    assert drop(world, run, "_ERROR", b"too much")["status"] == "accepted"
    assert world.listed(f"runs/{run}/files/") == []


def test_a_marker_may_be_too_large(world):
    run = world.start_external()
    assert deliver(world, run, said=b" " * (5 << 20))["code"] == "MARKER_TOO_LARGE"


def test_markers_below_directories_and_folders_are_no_markers(world):
    run = world.start_external()
    world.put(inbox(run, "folder/"))
    report = deliver(world, run, {**FILES, "results/plots/_SUCCESS": b""}, "results/plots/_SUCCESS")
    assert report == {"status": "no marker"}
    assert drop(world, run)["files"] == 4


def test_files_written_again_while_they_are_read_are_not_taken_for_others(world, monkeypatch):
    run = world.start_external()
    s3 = clients.client("s3")
    refused = s3.exceptions.ClientError({"Error": {"Code": "PreconditionFailed"}}, "CopyObject")

    def changed(**_):
        raise refused

    with monkeypatch.context() as patch:
        patch.setattr(s3, "copy_object", changed)
        assert deliver(world, run)["code"] == "FILE_CHANGED"
    assert world.resumed == []

    assert drop(world, run)["status"] == "accepted"


def test_large_files_are_copied_in_parts(world, monkeypatch):
    monkeypatch.setattr("flowserverless.store.inbox.MAX_COPY_BYTES", 6 << 20)
    monkeypatch.setattr("flowserverless.store.inbox.PART", 5 << 20)
    large = bytes(range(256)) * (12 << 12)
    run = world.start_external()

    assert deliver(world, run, {**FILES, "large.bin": large})["status"] == "accepted"

    assert world.get(f"runs/{run}/files/large.bin") == large


def test_a_part_that_fails_leaves_no_upload_behind(world, monkeypatch):
    monkeypatch.setattr("flowserverless.store.inbox.MAX_COPY_BYTES", 1)
    s3 = clients.client("s3")

    def failing(**_):
        raise s3.exceptions.ClientError({"Error": {"Code": "InternalError"}}, "UploadPartCopy")

    monkeypatch.setattr(s3, "upload_part_copy", failing)
    run = world.start_external()
    with pytest.raises(s3.exceptions.ClientError):
        deliver(world, run)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=world.bucket)
    assert world.resumed == []


def test_no_part_is_on_its_way_any_more_when_an_upload_is_aborted(world, monkeypatch):
    monkeypatch.setattr("flowserverless.store.inbox.MAX_COPY_BYTES", 6 << 20)
    monkeypatch.setattr("flowserverless.store.inbox.PART", 5 << 20)
    s3 = clients.client("s3")
    second_begun, aborted = threading.Event(), threading.Event()
    in_time = []

    def copy(**part):
        if part["PartNumber"] == 1:
            assert second_begun.wait(30)
            raise s3.exceptions.ClientError({"Error": {"Code": "InternalError"}}, "UploadPartCopy")
        second_begun.set()
        in_time.append(not aborted.wait(0.2))
        return {"CopyPartResult": {"ETag": "e"}}

    monkeypatch.setattr(s3, "upload_part_copy", copy)
    monkeypatch.setattr(s3, "abort_multipart_upload", lambda **_: aborted.set())
    run = world.start_external()
    with pytest.raises(s3.exceptions.ClientError):
        deliver(world, run, {**FILES, "large.bin": bytes(12 << 20)})
    assert aborted.is_set()
    assert set(in_time) == {True}


def test_the_ingest_block_is_for_external_runs_only(world):
    assert "ingest" not in world.start()
    handle = world.start(config={"engine": "external"})
    block = handle["ingest"]
    assert block["prefix"] == inbox(handle["id"])
    assert block["expires"] == handle["deadline"]
    assert block["upload"]["fields"]["key"] == inbox(handle["id"]) + "${filename}"
    assert f"/{inbox(handle['id'])}_SUCCESS.report.json?" in block["report"]
    assert "ingest" not in world.run(handle["id"])
    assert f"s3://{world.bucket}/{inbox(handle['id'])}_SUCCESS" in block["aws"][-1]


def test_a_repeated_start_signs_the_form_again(world):
    sent = {"body": {"config": {"engine": "external"}}, "headers": {"Idempotency-Key": "once"}}
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"})
    first, second = (world.call(*path, **sent).json for _ in range(2))
    assert first["id"] == second["id"]
    assert second["ingest"]["upload"]["fields"]["policy"]


def test_only_who_started_a_run_gets_its_form(world):
    world.call("update_group", "PUT", "/groups/{groupId}", {"groupId": "bench"}, body={"name": "Ours"})
    scenario.enrol("bench", gateway.BOB.id, gateway.BOB.name)
    sent = {"body": {"config": {"engine": "external"}}, "headers": {"Idempotency-Key": "once"}}
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"})
    first = world.call(*path, **sent).json
    for other in (gateway.BOB, gateway.ORGANISER):
        repeated = world.call(*path, user=other, **sent).json
        assert (repeated["id"], "ingest" in repeated) == (first["id"], False)
    assert "ingest" in world.call(*path, **sent).json


@pytest.fixture
def guest(world):
    """A member of the group beside its owner."""
    scenario.enrol("bench", gateway.BOB.id, gateway.BOB.name)
    return gateway.BOB


def start_as(world, user):
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"})
    run = world.call(*path, user=user, body={"config": {"engine": "external"}}).json
    assert run["ingest"]["upload"]
    return run["id"]


def remove_member(world):
    body = {"members": [gateway.ADA.name]}
    world.call("update_group", "PUT", "/groups/{groupId}", {"groupId": "bench"}, body=body)


def leave_group(_):
    leave._leave("bench", gateway.BOB.id)


@pytest.mark.parametrize("go", [remove_member, leave_group])
@pytest.mark.parametrize("marker", ["_SUCCESS", "_ERROR"])
def test_the_results_of_who_left_the_group_end_the_run_and_do_not_count(world, guest, go, marker):
    run = start_as(world, guest)
    world.await_results(run)
    go(world)
    report = deliver(world, run, marker=marker)
    assert (report["status"], report["code"]) == ("ignored", "STARTER_LEFT")
    (outcome,) = world.resumed
    # A repetition of the event, and one more delivery, even as a member again, change nothing.
    assert world.invoke("ingest_results", packages.dropped(world.bucket, inbox(run, marker))) == {"status": "gone"}
    scenario.enrol("bench", gateway.BOB.id, gateway.BOB.name)
    assert deliver(world, run, said=b'{"once": "more"}')["code"] == "DELIVERED_BEFORE"
    assert world.resumed == [outcome]
    world.end(run, outcome=outcome)
    handle = world.run(run)
    assert (handle["state"], handle["reason"]["code"]) == ("ERROR", "STARTER_LEFT")
    assert "no member of group 'bench'" in handle["reason"]["detail"]
    assert world.listed(f"runs/{run}/files/") == []


def test_results_that_who_left_delivered_before_the_execution_waited_do_not_count_either(world, guest):
    run = start_as(world, guest)
    remove_member(world)
    assert deliver(world, run)["status"] == "waiting"
    world.await_results(run)
    assert [outcome["reason"]["code"] for outcome in world.resumed] == ["STARTER_LEFT"]


def test_what_who_left_delivered_before_counts(world, guest):
    run = start_as(world, guest)
    world.await_results(run)
    assert deliver(world, run)["status"] == "accepted"
    remove_member(world)
    world.end(run, outcome=world.resumed[0])
    assert world.run(run)["state"] == "SUCCESS"


def test_an_organiser_who_started_a_run_needs_no_membership_to_deliver(world):
    run = start_as(world, gateway.ORGANISER)
    world.await_results(run)
    assert deliver(world, run)["status"] == "accepted"


def test_what_is_delivered_to_a_deleted_run_is_removed_as_long_as_its_form_is_good(world, monkeypatch):
    run = world.start_external()
    world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run})
    world.call("delete_run", "DELETE", "/runs/{runId}", {"runId": run})
    world.put(inbox(run, "a.txt"), b"late")
    world.put(inbox(run, "_SUCCESS"), b"{}")
    event = packages.dropped(world.bucket, inbox(run, "_SUCCESS"))
    assert world.invoke("ingest_results", event) == {"status": "gone"}
    assert world.listed(inbox(run)) == []
    begun = clock.now()
    for hours in (0, 1.5, 24, 26):
        monkeypatch.setattr(clock, "now", lambda hours=hours: begun + timedelta(hours=hours))
        world.put(inbox(run, "b.txt"), b"later")
        assert world.invoke("reconcile_runs", {}).get("uploads") == 1
        world.invoke("remove_files", {"run": run})
        assert world.listed(inbox(run)) == []
    assert "uploads" not in world.invoke("reconcile_runs", {})


def test_a_marker_for_a_run_that_never_was_is_reported(world):
    world.put(inbox("VQWEX2T39N6CF6QA01M83R72TG-bench", "_SUCCESS"), b"{}")
    event = packages.dropped(world.bucket, inbox("VQWEX2T39N6CF6QA01M83R72TG-bench", "_SUCCESS"))
    assert world.invoke("ingest_results", event)["status"] == "ignored"


def test_an_external_run_needs_the_organisers_leave(world):
    world.publish({"workflow": {"steps": [packages.STEP]}}, "inside")
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "inside"}, 400)
    assert "external engine" in world.call(*path, body={"config": {"engine": "external"}}).json["detail"]


def test_the_run_is_running_from_the_start(world):
    handle = world.start(config={"engine": "external"})
    assert (handle["state"], handle["startedAt"]) == ("RUNNING", handle["createdAt"])
    assert run_items.get(handle["id"]).state is runs.State.RUNNING

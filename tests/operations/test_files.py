"""Result files: which ones a run has, how they are described, and that thousands of them cost a reader nothing."""

import hashlib
import json
import os

import pytest
from moto.s3 import models

from flowserverless.api import cursors, details
from flowserverless.domain import ids, kept_files
from flowserverless.store import run_items, table
from support import aws_clients, requests_made, workbench

DECLARED = {
    "workflow": {"steps": [workbench.STEP]},
    "outputs": [
        {"source": "summary.json", "key": "summary", "title": "Summary", "format": {"type": "json"}},
        {"source": "plots", "title": "Plots", "caption": "One for each class"},
        {"source": "logs/**/*.txt"},
    ],
}
WRITTEN = {
    "summary.json": b"{}",
    "plots/a.png": b"a picture",
    "plots/more/b.svg": b"<svg/>",
    "logs/1.txt": b"one",
    "logs/deep/er/2.txt": b"two",
    "logs/3.bin": b"not declared",
    "scratch.dat": b"not declared",
}


@pytest.fixture
def bench(invoke, monkeypatch, table, bucket, state_machine):
    made = workbench.Bench(invoke, monkeypatch)
    made.publish(DECLARED)
    return made


def finished(bench, files, group="bench", **event):
    """The handle of a run that left these files."""
    run = bench.start(group)["id"]
    bench.write(run, files)
    bench.end(run, **event)
    return bench.run(run)


def listing(bench, run, **query):
    """All files, page by page."""
    found, following = [], {}
    while following is not None:
        page = bench.call(
            "list_run_files", "GET", "/runs/{runId}/files", {"runId": run}, query={**query, **following}
        ).json
        found += page["files"]
        following = {"cursor": page["next"]} if "next" in page else None
    return found


def stopped(bench, run):
    """What is told of an execution that was stopped."""
    return bench.invoke("update_run", {"executionArn": f"arn:{run}", "name": run, "status": "ABORTED"})


def item_size(run):
    """What DynamoDB reads for a run, in bytes."""
    client = aws_clients.of("dynamodb")
    pk, sk = table.run(ids.run_id(run))
    name = os.environ["TABLE_NAME"]
    return len(json.dumps(client.get_item(TableName=name, Key={"pk": {"S": pk}, "sk": {"S": sk}})["Item"]))


def test_outputs_are_files_directories_and_globs(bench):
    handle = finished(bench, WRITTEN)
    assert handle["state"] == "SUCCESS"
    assert [(file["name"], file["mediaType"]) for file in handle["files"]] == [
        ("summary", "application/json"),
        ("plots/a.png", "image/png"),
        ("plots/more/b.svg", "image/svg+xml"),
        ("logs/1.txt", "text/plain"),
        ("logs/deep/er/2.txt", "text/plain"),
    ]
    first, second = handle["files"][:2]
    assert (first["title"], first["format"], "caption" in first) == ("Summary", {"type": "json"}, False)
    assert (second["title"], second["caption"], second["size"]) == ("Plots", "One for each class", 9)
    assert second["sha256"] == hashlib.sha256(b"a picture").hexdigest()
    assert len({file["id"] for file in handle["files"]}) == handle["fileCount"] == 5


@pytest.mark.parametrize("without", ["summary.json", "plots", "logs/"])
def test_a_missing_output_is_named(bench, without):
    written = {path: body for path, body in WRITTEN.items() if not path.startswith(without)}
    handle = finished(bench, written)
    assert (handle["state"], handle["reason"]["code"]) == ("ERROR", "OUTPUT_MISSING")
    (declared,) = [spec["source"] for spec in DECLARED["outputs"] if spec["source"].startswith(without)]
    assert f"'{declared}'" in handle["reason"]["detail"]
    assert len(handle["files"]) == len(written)


def test_without_declared_outputs_everything_is_a_result(bench):
    bench.publish({"workflow": {"steps": [workbench.STEP]}}, "open")
    handle = finished(bench, {**WRITTEN, ".flowserverless/context.json": b"{}", "a/../b": b"forged"}, "open")
    assert [file["name"] for file in handle["files"]] == sorted(WRITTEN)
    assert handle["archive"]["size"] > 0


def test_a_run_may_leave_nothing(bench):
    bench.publish({"workflow": {"steps": [workbench.STEP]}}, "open")
    handle = finished(bench, {}, "open")
    assert (handle["state"], handle["files"], handle["fileCount"]) == ("SUCCESS", [], 0)
    assert listing(bench, handle["id"]) == []


def test_a_failed_run_lists_what_it_left(bench):
    failed = {"exitCode": 3, "reason": {"code": "STEP_FAILED", "detail": "no"}, "messages": []}
    handle = finished(bench, WRITTEN, outcome=failed)
    assert handle["state"] == "ERROR"
    assert {file["name"] for file in handle["files"]} == {*WRITTEN, "summary"} - {"summary.json"}
    assert all(len(file["sha256"]) == 64 for file in handle["files"])
    assert handle["archive"]["size"] > 0


@pytest.mark.parametrize("ending", ["canceled", "timed out"])
def test_a_run_that_was_stopped_lists_what_its_step_delivered(bench, ending):
    run = bench.start()["id"]
    if ending == "canceled":
        bench.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={})
    else:
        bench.end(run, outcome=None, failure={"Error": "States.Timeout", "Cause": ""}, archive=False)
    assert bench.run(run)["files"] == []
    bench.write(run, WRITTEN)

    for _ in range(2):
        assert stopped(bench, run)["state"] == bench.run(run)["state"]

    handle = bench.run(run)
    assert handle["state"] == ("CANCELED" if ending == "canceled" else "ERROR")
    assert len(handle["files"]) == len(WRITTEN)
    assert handle["archive"]["size"] > 0


def test_what_a_step_delivers_after_its_run_was_deleted_is_removed(bench):
    run = bench.start()["id"]
    bench.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={})
    bench.call("delete_run", "DELETE", "/runs/{runId}", {"runId": run})
    bench.write(run, WRITTEN)

    assert stopped(bench, run) == {"run": run, "state": "DELETED"}

    client = aws_clients.of("stepfunctions")
    found = client.list_executions(stateMachineArn=os.environ["STATE_MACHINES"] + "remove-files")["executions"]
    assert f"{run}-again" in [execution["name"] for execution in found]


def test_a_run_that_is_still_active_is_not_ended_by_the_news_of_its_execution(bench):
    run = bench.start()["id"]
    assert stopped(bench, run)["state"] == "PENDING"


def test_more_than_is_archived_says_so_and_has_digests(bench, monkeypatch):
    monkeypatch.setenv("ARCHIVE_BYTES", "10")
    handle = finished(bench, WRITTEN)
    assert handle["state"] == "SUCCESS"
    assert "10" in handle["archive"]["detail"]
    assert handle["files"][1]["sha256"] == hashlib.sha256(b"a picture").hexdigest()


def test_names_that_cannot_be_unpacked_side_by_side_cost_the_archive_only(bench):
    bench.publish({"workflow": {"steps": [workbench.STEP]}}, "open")
    handle = finished(bench, {"a": b"1", "a/b": b"2"}, "open")
    assert (handle["state"], handle["fileCount"]) == ("SUCCESS", 2)
    assert "side by side" in handle["archive"]["detail"]
    assert handle["files"][0]["sha256"] == hashlib.sha256(b"1").hexdigest()


def test_five_thousand_files_are_shown_at_once_for_a_query_of_each_megabyte(bench):
    small = finished(bench, WRITTEN)
    run = bench.start()["id"]
    backend = models.s3_backends["123456789012"]["aws"]
    names = [f"plots/{number:04d}-{'x' * 80}.png" for number in range(4998)]
    for path in ["summary.json", "logs/1.txt", *names]:
        backend.put_object(bench.bucket, f"runs/{run}/files/{path}", b"")
    bench.end(run, archive=False)

    with requests_made.to_dynamodb() as few:
        bench.run(small["id"])
    with requests_made.to_dynamodb() as many:
        handle = bench.run(run)

    assert few == ["BatchGetItem"]
    assert many == ["BatchGetItem", "Query", "Query"]
    assert (handle["fileCount"], len(handle["files"])) == (5000, 5000)
    assert [file["name"] for file in handle["files"]] == ["summary", *names, "logs/1.txt"]
    assert item_size(run) < kept_files.FIRST_PAGE_BYTES + 10_000
    assert [file["name"] for file in listing(bench, run, limit="1000")] == ["summary", *names, "logs/1.txt"]
    with requests_made.to_dynamodb() as page:
        bench.call("list_run_files", "GET", "/runs/{runId}/files", {"runId": run}, query={"limit": "100"})
    assert page == ["BatchGetItem"]


def test_a_handle_has_as_many_files_as_an_answer_has_room_for(bench, monkeypatch):
    monkeypatch.setattr(details, "FILES_BYTES", 30_000)
    many = dict.fromkeys([f"plots/{number:03d}.png" for number in range(150)], b"")
    run = finished(bench, {**WRITTEN, **many}, archive=False)["id"]
    shown = [file["name"] for file in bench.run(run)["files"]]
    listed = [file["name"] for file in listing(bench, run, limit="1000")]
    assert len(listed) == bench.run(run)["fileCount"]
    assert 100 < len(shown) < len(listed)
    assert shown == listed[: len(shown)]


def test_long_names_and_long_descriptions_fit_into_the_table(bench):
    described = {"source": "o/", "title": "T", "caption": "ü" * 15_000, "format": {"type": "x" * 15_000}}
    bench.publish({"workflow": {"steps": [workbench.STEP]}, "outputs": [described]}, "long")
    part = "ü" * 126
    files = {f"o/{part}/{part}/{part}/{number}": b"" for number in range(30)}

    handle = finished(bench, files, "long", archive=False)

    assert (handle["state"], handle["fileCount"]) == ("SUCCESS", 30)
    found = listing(bench, handle["id"])
    assert {file["name"] for file in found} == set(files)
    assert len({file["id"] for file in found}) == 30
    assert listing(bench, handle["id"], limit="7") == found
    for file in found[::7]:
        path = {"runId": handle["id"], "fileId": file["id"]}
        bench.call("get_result_file", "GET", "/runs/{runId}/downloads/files/{fileId}", path, 302)


def test_cursors_that_no_listing_gave_are_refused_or_lead_nowhere(bench):
    run = finished(bench, WRITTEN)["id"]
    path = ("list_run_files", "GET", "/runs/{runId}/files", {"runId": run})
    made = [cursors.write(f"runs/{run}/files", *place) for place in ((), (-1, 0), (0, -1), (None, 0), (1e9, 0))]
    for at in ["x", "W10", *made]:
        assert bench.call(*path, 400, query={"cursor": at}).json["code"] == "INVALID_CURSOR"
    for place in [(999_999_999, 0), (0, 10**6)]:
        at = cursors.write(f"runs/{run}/files", *place)
        assert bench.call(*path, query={"cursor": at}).json["files"] == []


def test_a_repeated_publication_changes_nothing(bench):
    handle = finished(bench, WRITTEN)
    before = run_items.get(handle["id"])
    assert bench.end(handle["id"])["state"] == "SUCCESS"
    assert run_items.get(handle["id"]) == before

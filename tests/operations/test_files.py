"""Result files: which ones a run has, how they are described, and that thousands of them cost a reader nothing."""

import hashlib
import json
import os

import pytest
from moto.s3 import models

from flowserverless.api import cursors, details
from flowserverless.domain import ids, kept_files
from flowserverless.store import run_items, table
from support import aws_clients, dynamodb_requests, packages

DECLARED = {
    "workflow": {"steps": [packages.STEP]},
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
def world(world):
    world.publish(DECLARED)
    return world


def finished(world, files, group="bench", **event):
    """The handle of a run that left these files."""
    run = world.start(group)["id"]
    world.write(run, files)
    world.end(run, **event)
    return world.run(run)


def listing(world, run, **query):
    """All files, page by page."""
    found, following = [], {}
    while following is not None:
        page = world.call(
            "list_run_files", "GET", "/runs/{runId}/files", {"runId": run}, query={**query, **following}
        ).json
        found += page["files"]
        following = {"cursor": page["next"]} if "next" in page else None
    return found


def stopped(world, run):
    """What is told of an execution that was stopped."""
    return world.invoke("update_run", {"executionArn": f"arn:{run}", "name": run, "status": "ABORTED"})


def item_size(run):
    """What DynamoDB reads for a run, in bytes."""
    client = aws_clients.of("dynamodb")
    pk, sk = table.run(ids.run_id(run))
    name = os.environ["TABLE_NAME"]
    return len(json.dumps(client.get_item(TableName=name, Key={"pk": {"S": pk}, "sk": {"S": sk}})["Item"]))


def test_outputs_are_files_directories_and_globs(world):
    handle = finished(world, WRITTEN)
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
def test_a_missing_output_is_named(world, without):
    written = {path: body for path, body in WRITTEN.items() if not path.startswith(without)}
    handle = finished(world, written)
    assert (handle["state"], handle["reason"]["code"]) == ("ERROR", "OUTPUT_MISSING")
    (declared,) = [spec["source"] for spec in DECLARED["outputs"] if spec["source"].startswith(without)]
    assert f"'{declared}'" in handle["reason"]["detail"]
    assert len(handle["files"]) == len(written)


def test_without_declared_outputs_everything_is_a_result(world):
    world.publish({"workflow": {"steps": [packages.STEP]}}, "open")
    handle = finished(world, {**WRITTEN, ".flowserverless/context.json": b"{}", "a/../b": b"forged"}, "open")
    assert [file["name"] for file in handle["files"]] == sorted(WRITTEN)
    assert handle["archive"]["size"] > 0


def test_a_run_may_leave_nothing(world):
    world.publish({"workflow": {"steps": [packages.STEP]}}, "open")
    handle = finished(world, {}, "open")
    assert (handle["state"], handle["files"], handle["fileCount"]) == ("SUCCESS", [], 0)
    assert listing(world, handle["id"]) == []


def test_a_failed_run_lists_what_it_left(world):
    failed = {"exitCode": 3, "reason": {"code": "STEP_FAILED", "detail": "no"}, "messages": []}
    handle = finished(world, WRITTEN, outcome=failed)
    assert handle["state"] == "ERROR"
    assert {file["name"] for file in handle["files"]} == {*WRITTEN, "summary"} - {"summary.json"}
    assert all(len(file["sha256"]) == 64 for file in handle["files"])
    assert handle["archive"]["size"] > 0


@pytest.mark.parametrize("ending", ["canceled", "timed out"])
def test_a_run_that_was_stopped_lists_what_its_step_delivered(world, ending):
    run = world.start()["id"]
    if ending == "canceled":
        world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={})
    else:
        world.end(run, outcome=None, failure={"Error": "States.Timeout", "Cause": ""}, archive=False)
    assert world.run(run)["files"] == []
    world.write(run, WRITTEN)

    for _ in range(2):
        assert stopped(world, run)["state"] == world.run(run)["state"]

    handle = world.run(run)
    assert handle["state"] == ("CANCELED" if ending == "canceled" else "ERROR")
    assert len(handle["files"]) == len(WRITTEN)
    assert handle["archive"]["size"] > 0


def test_what_a_step_delivers_after_its_run_was_deleted_is_removed(world):
    run = world.start()["id"]
    world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={})
    world.call("delete_run", "DELETE", "/runs/{runId}", {"runId": run})
    world.write(run, WRITTEN)

    assert stopped(world, run) == {"run": run, "state": "DELETED"}

    client = aws_clients.of("stepfunctions")
    found = client.list_executions(stateMachineArn=os.environ["STATE_MACHINES"] + "remove-files")["executions"]
    assert f"{run}-again" in [execution["name"] for execution in found]


def test_a_run_that_is_still_active_is_not_ended_by_the_news_of_its_execution(world):
    run = world.start()["id"]
    assert stopped(world, run)["state"] == "PENDING"


def test_more_than_is_archived_says_so_and_has_digests(world, monkeypatch):
    monkeypatch.setenv("ARCHIVE_BYTES", "10")
    handle = finished(world, WRITTEN)
    assert handle["state"] == "SUCCESS"
    assert "10" in handle["archive"]["detail"]
    assert handle["files"][1]["sha256"] == hashlib.sha256(b"a picture").hexdigest()


def test_names_that_cannot_be_unpacked_side_by_side_cost_the_archive_only(world):
    world.publish({"workflow": {"steps": [packages.STEP]}}, "open")
    handle = finished(world, {"a": b"1", "a/b": b"2"}, "open")
    assert (handle["state"], handle["fileCount"]) == ("SUCCESS", 2)
    assert "side by side" in handle["archive"]["detail"]
    assert handle["files"][0]["sha256"] == hashlib.sha256(b"1").hexdigest()


@pytest.mark.long
def test_five_thousand_files_are_shown_at_once_for_a_query_of_each_megabyte(world):
    small = finished(world, WRITTEN)
    run = world.start()["id"]
    backend = models.s3_backends["123456789012"]["aws"]
    names = [f"plots/{number:04d}-{'x' * 80}.png" for number in range(4998)]
    for path in ["summary.json", "logs/1.txt", *names]:
        backend.put_object(world.bucket, f"runs/{run}/files/{path}", b"")
    world.end(run, archive=False)

    with dynamodb_requests.to_dynamodb() as few:
        world.run(small["id"])
    with dynamodb_requests.to_dynamodb() as many:
        handle = world.run(run)

    assert few == ["BatchGetItem"]
    assert many == ["BatchGetItem", "Query", "Query"]
    assert (handle["fileCount"], len(handle["files"])) == (5000, 5000)
    assert [file["name"] for file in handle["files"]] == ["summary", *names, "logs/1.txt"]
    assert item_size(run) < kept_files.FIRST_PAGE_BYTES + 10_000
    assert [file["name"] for file in listing(world, run, limit="1000")] == ["summary", *names, "logs/1.txt"]
    with dynamodb_requests.to_dynamodb() as page:
        world.call("list_run_files", "GET", "/runs/{runId}/files", {"runId": run}, query={"limit": "100"})
    assert page == ["BatchGetItem"]


def test_a_handle_has_as_many_files_as_an_answer_has_room_for(world, monkeypatch):
    monkeypatch.setattr(details, "FILES_BYTES", 30_000)
    many = dict.fromkeys([f"plots/{number:03d}.png" for number in range(150)], b"")
    run = finished(world, {**WRITTEN, **many}, archive=False)["id"]
    shown = [file["name"] for file in world.run(run)["files"]]
    listed = [file["name"] for file in listing(world, run, limit="1000")]
    assert len(listed) == world.run(run)["fileCount"]
    assert 100 < len(shown) < len(listed)
    assert shown == listed[: len(shown)]


def test_long_names_and_long_descriptions_fit_into_the_table(world):
    described = {"source": "o/", "title": "T", "caption": "ü" * 15_000, "format": {"type": "x" * 15_000}}
    world.publish({"workflow": {"steps": [packages.STEP]}, "outputs": [described]}, "long")
    part = "ü" * 126
    files = {f"o/{part}/{part}/{part}/{number}": b"" for number in range(30)}

    handle = finished(world, files, "long", archive=False)

    assert (handle["state"], handle["fileCount"]) == ("SUCCESS", 30)
    found = listing(world, handle["id"])
    assert {file["name"] for file in found} == set(files)
    assert len({file["id"] for file in found}) == 30
    assert listing(world, handle["id"], limit="7") == found
    for file in found[::7]:
        path = {"runId": handle["id"], "fileId": file["id"]}
        world.call("get_result_file", "GET", "/runs/{runId}/downloads/files/{fileId}", path, 302)


def test_cursors_that_no_listing_gave_are_refused_or_lead_nowhere(world):
    run = finished(world, WRITTEN)["id"]
    path = ("list_run_files", "GET", "/runs/{runId}/files", {"runId": run})
    made = [cursors.write(f"runs/{run}/files", *place) for place in ((), (-1, 0), (0, -1), (None, 0), (1e9, 0))]
    for at in ["x", "W10", *made]:
        assert world.call(*path, 400, query={"cursor": at}).json["code"] == "INVALID_CURSOR"
    for place in [(999_999_999, 0), (0, 10**6)]:
        at = cursors.write(f"runs/{run}/files", *place)
        assert world.call(*path, query={"cursor": at}).json["files"] == []


def test_a_repeated_publication_changes_nothing(world):
    handle = finished(world, WRITTEN)
    before = run_items.get(handle["id"])
    assert world.end(handle["id"])["state"] == "SUCCESS"
    assert run_items.get(handle["id"]) == before

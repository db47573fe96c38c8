"""Deleting a file: not while a run takes it, and nothing that is posted for it stays."""

import pytest

from flowserverless.store import bucket, table
from support import dynamodb_requests, gateway, iam, packages, uploads


@pytest.fixture
def world(world):
    world.publish({"parameters": [uploads.FILE], "workflow": {"steps": [packages.STEP]}})
    return world


def delete(world, file):
    path = {"groupId": "bench", "fileId": file}
    return world.call("delete_upload", "DELETE", "/uploads/{groupId}/files/{fileId}", path)


@pytest.mark.parametrize("deletion", ["file", "group"])
def test_what_is_posted_for_a_deleted_file_is_removed_once_nothing_can_follow(world, later, deletion):
    file = uploads.announce(world)["id"]
    if deletion == "file":
        delete(world, file)
    else:
        world.call("delete_group", "DELETE", "/groups/{groupId}", {"groupId": "bench"})
    world.put(f"uploads/bench/{file}", uploads.CONTENT)
    later(hours=23)
    assert "uploads" not in world.invoke("reconcile_runs", {})
    later(hours=25)
    assert world.invoke("reconcile_runs", {})["uploads"] == 1
    assert world.listed("uploads/") == []
    assert "uploads" not in world.invoke("reconcile_runs", {})


def test_a_deletion_that_was_interrupted_is_finished_by_the_reconciler(world, later, monkeypatch):
    file = uploads.send(world, **uploads.form())["id"]
    with monkeypatch.context() as during:
        during.setattr(bucket, "remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            delete(world, file)
    assert world.call("list_uploads", "GET", *uploads.PLACE).json["files"] == []
    assert uploads.start(world, file, 409)["code"] == "FILE_DELETED"
    later(hours=25)
    assert world.invoke("reconcile_runs", {})["uploads"] == 1
    assert world.listed("uploads/") == []


def interrupted(*_):
    raise KeyboardInterrupt


def test_to_an_old_file_nobody_comes_back(world, later):
    file = uploads.announce(world)["id"]
    later(hours=25)
    delete(world, file)
    assert table.get(table.withdrawn("bench", file)) is None


def delete_status(world, file):
    path = {"groupId": "bench", "fileId": file}
    request = gateway.event("DELETE", "/uploads/{groupId}/files/{fileId}", path, user=gateway.ADA)
    answer = gateway.answer(world.invoke("delete_upload", request))
    return answer.status, answer.status >= 400 and answer.json["code"]


def start_status(world, file, other=None):
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": file}}}]
    place = "/groups/{groupId}/runs", {"groupId": "bench"}
    answer = gateway.answer(
        world.invoke("start_run", gateway.event("POST", *place, user=gateway.ADA, body={"arguments": arguments}))
    )
    return answer.status, answer.status >= 400 and answer.json["code"]


@pytest.mark.parametrize("used_before", [False, True])
def test_of_a_start_and_a_deletion_of_its_file_at_the_same_moment_one_is_refused(world, interrupted, used_before):
    for deletion_first in (True, False):
        file = uploads.send(world, **uploads.form(f"{deletion_first}".encode()))["id"]
        if used_before:
            run = uploads.start(world, file)["id"]
            world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run})
        acts = [lambda: delete_status(world, file), lambda: start_status(world, file)]  # noqa: B023
        first, second = acts if deletion_first else reversed(acts)
        told = interrupted(second, rival=first)
        assert told == ((204, False), (409, "FILE_DELETED")) if deletion_first else ((201, False), (409, "FILE_IN_USE"))
        assert start_status(world, file) == ((409, "FILE_DELETED") if deletion_first else (201, False))


def test_a_file_is_deleted_once_no_active_run_takes_it(world):
    file = uploads.send(world, **uploads.form())["id"]
    run = uploads.start(world, file)["id"]
    assert delete_status(world, file) == (409, "FILE_IN_USE")
    world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run})
    assert delete_status(world, file) == (204, False)
    assert delete_status(world, file) == (404, "NOT_FOUND")


def test_a_deletion_waits_for_no_run_without_the_file(world, interrupted):
    file, other = uploads.send(world, **uploads.form())["id"], uploads.send(world, **uploads.form(b"other"))["id"]
    started, deleted = interrupted(lambda: delete_status(world, file), lambda: start_status(world, other))
    assert (started, deleted) == ((201, False), (204, False))


def test_a_deleted_file_that_is_brought_again_is_another(world, later):
    file = uploads.send(world, **uploads.form())["id"]
    delete(world, file)
    again = uploads.send(world, **uploads.form())["id"]
    assert again != file
    later(hours=25)
    world.invoke("reconcile_runs", {})
    assert world.listed("uploads/") == [f"uploads/bench/{again}"]
    assert uploads.start(world, again)["state"] == "PENDING"


def test_a_file_that_is_deleted_while_it_is_brought_again_is_another_then(world, interrupted, later):
    file = uploads.announce(world)["id"]
    renamed = uploads.form(filename='filename="x.csv"')
    _, again = interrupted(lambda: uploads.send(world, **renamed), lambda: delete(world, file))
    assert again["id"] != file
    assert uploads.listed(world) == [again["id"]]
    assert world.listed("uploads/") == [f"uploads/bench/{again['id']}"]


def test_a_file_that_is_deleted_while_its_bytes_are_written_leaves_none(world, monkeypatch):
    write, gone = bucket.write_upload, []

    def late(key, *rest):
        if not gone:
            gone.append(key.rpartition("/")[2])
            with iam.asked(), dynamodb_requests.committed():
                delete(world, gone[0])
        write(key, *rest)

    monkeypatch.setattr(bucket, "write_upload", late)
    file = uploads.send(world, **uploads.form())["id"]
    assert file != gone[0]
    assert world.listed("uploads/") == [f"uploads/bench/{file}"]


def test_a_deletion_looks_after_the_form_that_was_given_last(world, later):
    file = uploads.announce(world)["id"]
    later(hours=30)
    assert uploads.announce(world)["upload"]
    delete(world, file)
    world.put(f"uploads/bench/{file}", uploads.CONTENT)
    later(hours=53)
    assert "uploads" not in world.invoke("reconcile_runs", {})
    later(hours=55)
    assert world.invoke("reconcile_runs", {})["uploads"] == 1
    assert world.listed("uploads/") == []

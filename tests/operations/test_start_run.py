"""Starting a run with files: those of its group, as they are then, and as many as a transaction holds."""

import json

import pytest

from flowserverless.store import run_items
from support import packages, uploads


@pytest.fixture
def world(world):
    world.publish({"parameters": [uploads.FILE], "workflow": {"steps": [packages.STEP]}})
    return world


@pytest.mark.parametrize("announced", [False, True])
def test_a_step_is_told_the_size_and_digest_that_the_run_was_started_with(world, announced):
    handle = uploads.announce(world) if announced else uploads.send(world, **uploads.form())
    world.put(f"uploads/bench/{handle['id']}", uploads.CONTENT)
    run = uploads.start(world, handle["id"])["id"]
    world.put(f"uploads/bench/{handle['id']}", b"posted once more with the same form")
    version = run_items.get(run).version
    world.invoke("stage_step", {"run": run, "workflow": "bench", "version": version, "step": 0, "outcome": None})
    inputs = json.loads(world.get(f"runs/{run}/manifests/000.json"))["inputs"]
    (told,) = (each for each in inputs if "/uploads/" in each["url"])
    assert (told["path"], told["size"], told["sha256"]) == ("data.csv", uploads.SIZE, uploads.DIGEST)


def test_files_of_other_groups_cannot_be_used(world):
    world.publish({"parameters": [uploads.FILE], "workflow": {"steps": [packages.STEP]}}, "other")
    handle = uploads.send(world, **uploads.form())
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": handle["id"]}}}]
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "other"}, 404)
    world.call(*path, body={"arguments": arguments})


@pytest.mark.long
def test_a_run_takes_as_many_files_as_a_transaction_holds(world):
    many = {"name": "many", "dtype": "list", "para": {"name": "one", "dtype": "file"}}
    world.publish({"parameters": [many], "workflow": {"steps": [packages.STEP]}}, "list")
    place = "/uploads/{groupId}/files", {"groupId": "list"}
    value = []
    for number in range(90):
        file = world.call("upload_file", "POST", *place, **uploads.form(b"%d" % number)).json["id"]
        value.append({"type": "$file", "value": {"fileId": file, "targetPath": f"data/{number}.csv"}})
    world.start("list", arguments=[{"name": "many", "value": value}], headers={"Idempotency-Key": "k"})
    path = {"groupId": "list", "fileId": value[-1]["value"]["fileId"]}
    world.call("delete_upload", "DELETE", "/uploads/{groupId}/files/{fileId}", path, 409)


def test_a_job_that_uploads_and_starts_twice_with_one_key_has_one_run(world):
    def job():
        file = uploads.send(world, **uploads.form())["id"]
        value = {"type": "$file", "value": {"fileId": file}}
        return world.start(arguments=[{"name": "data", "value": value}], headers={"Idempotency-Key": "job"})["id"]

    assert job() == job()

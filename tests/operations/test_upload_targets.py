"""Where uploads land, from the start of a run to what its steps receive; and what the report says of it."""

import json

from flowserverless.store import run_items, table, workflow_items
from support import packages

STEPS = [{**packages.STEP, "name": name} for name in ("one", "two")]
FILE = {"name": "paper", "dtype": "file"}


def publish(world, *parameters, files=None, **elements):
    key = "inbox/workflows/bench.zip"
    template = {"workflow": {"steps": STEPS}, "parameters": [*parameters], **elements}
    world.put(key, packages.package(template, files))
    return world.invoke("publish_workflow", packages.dropped(world.bucket, key))


def opened(world, *parameters, **more):
    """A published workflow with a group, and the id of an upload."""
    assert publish(world, *parameters, **more)["status"] == "accepted"
    body = {"name": "Group", "identifier": "bench"}
    world.call("create_group", "POST", "/workflows/{workflowId}/groups", {"workflowId": "bench"}, body=body)
    return upload(world, "bench", "my paper.txt")


def upload(world, group, name):
    """The id of a small file that a group has."""
    boundary, head = "x", f'Content-Disposition: form-data; name="file"; filename="{name}"'
    sent = {"body": f"--{boundary}\r\n{head}\r\n\r\n1\r\n--{boundary}--\r\n".encode()}
    sent["headers"] = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return world.call("upload_file", "POST", "/uploads/{groupId}/files", {"groupId": group}, **sent).json["id"]


def argument(file, **target):
    return [{"name": "paper", "value": {"type": "$file", "value": {"fileId": file, **target}}}]


def staged(world, run, step):
    """Where the uploads are among what a step receives."""
    event = {
        "run": run,
        "workflow": "bench",
        "version": workflow_items.get("bench").version,
        "step": step,
        "outcome": None,
    }
    world.invoke("stage_step", event)
    inputs = json.loads(world.get(f"runs/{run}/manifests/{step:03d}.json"))["inputs"]
    return [one["path"] for one in inputs if "/uploads/bench/" in one["url"]]


def test_a_place_that_is_not_the_declared_one_is_refused_and_nothing_happens(world):
    file = opened(world, {**FILE, "target": "docs/paper.txt"}, files={"truth/part1.csv": b"1"})
    path = "start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"}
    for target in ("truth/part0.csv", "truth/part1.csv", "docs/other.txt", "paper.txt"):
        answer = world.call(*path, 400, body={"arguments": argument(file, targetPath=target)})
        assert answer.json["code"] == "INVALID_ARGUMENTS"
        external = {"arguments": argument(file, targetPath=target), "config": {"engine": "external"}}
        assert world.call(*path, 400, body=external).json["code"] == "INVALID_ARGUMENTS"
    for target in ({}, {"targetPath": "docs/paper.txt"}, {"targetPath": "./docs//paper.txt"}, {"targetPath": None}):
        assert staged(world, world.start(arguments=argument(file, **target))["id"], 0) == ["docs/paper.txt"]


def test_every_step_finds_an_upload_without_a_target_at_the_same_place(world):
    file = opened(world, FILE)
    for target, place in (({}, "uploads/paper/my paper.txt"), ({"targetPath": "x/y.csv"}, "uploads/paper/x/y.csv")):
        handle = world.start(arguments=argument(file, **target))
        assert handle["arguments"] == argument(file, **target)
        assert [staged(world, handle["id"], step) for step in (0, 1)] == [[place], [place]]
        assert run_items.get(handle["id"]).file_names == ({} if target else {file: "my paper.txt"})


def test_a_group_with_parameters_of_its_own_has_the_same_places(world):
    opened(world, {**FILE, "target": "docs/paper.txt", "isRequired": False})
    at = "create_group", "POST", "/workflows/{workflowId}/groups", {"workflowId": "bench"}
    for target in ("truth/part0.csv", "docs/"):
        own = [{**FILE, "target": target}]
        assert world.call(*at, 400, body={"name": "own", "parameters": own}).json["code"] == "INVALID_PARAMETERS"
    world.call(*at, body={"name": "own", "identifier": "own", "parameters": [FILE]})
    file = upload(world, "own", "p.txt")
    body = {"arguments": argument(file, targetPath="elsewhere.txt")}
    world.call("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "own"}, 400, body=body)


def about_places(report):
    """The warnings of a report, without those of the Python that this machine happens to have."""
    return [warning for warning in report["warnings"] if not warning["place"].endswith("environment")]


def test_organisers_are_told_when_they_publish(world):
    files = {"code/score.py": b"", "truth/part1.csv": b"1"}
    declared = {**FILE, "target": "code/paper.txt"}, {"name": "free", "dtype": "file"}
    report = publish(world, *declared, files=files)
    assert (report["status"], report["faults"]) == ("accepted", [])
    [first, second] = about_places(report)
    assert first["place"] == "workflow.json parameters[0].target"
    assert "lies beside programs of the package, such as 'code/score.py'" in first["message"]
    assert "has no target" in second["message"]
    assert json.loads(world.get("inbox/workflows/bench.zip.report.json")) == report
    again = publish(world, *declared, files=files)
    assert (again["status"], again["warnings"]) == ("unchanged", report["warnings"])
    assert about_places(publish(world, {**FILE, "target": "in/paper.txt"}, files=files)) == []


def test_a_list_in_the_folder_of_the_solution_is_refused(world):
    parameter = {"name": "l", "dtype": "list", "para": {**FILE, "target": "truth/mine.csv"}}
    report = publish(world, parameter, files={"truth/part1.csv": b"1"})
    assert report["status"] == "rejected"
    assert [fault["place"] for fault in report["faults"]] == ["workflow.json parameters[0].para.target"]


def test_in_a_version_from_before_callers_still_put_nothing_beside_the_solution(world):
    """Versions were published before such folders were refused, and groups go on with them."""
    parameter = {"name": "paper", "dtype": "list", "para": {**FILE, "target": "lists/mine.csv"}}
    file = opened(world, parameter, files={"truth/part1.csv": b"1"})
    published = table.get(table.template("bench"))
    published.update(actions=[type(published).files.set([["lists/part1.csv", 1]])])
    value = [{"name": "paper", "value": [argument(file, targetPath="lists/part0.csv")[0]["value"]]}]
    answer = world.call(
        "start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"}, 400, body={"arguments": value}
    )
    assert "among the workflow's own files" in answer.json["detail"]

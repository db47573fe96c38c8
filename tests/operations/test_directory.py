"""The directory of a run is a state: what steps took back is not found by later steps, nor in what the run comes to."""

import io
import json
import tarfile

import pytest

from flowserverless.domain import run_directory
from flowserverless.operations import batch_jobs, metrics
from flowserverless.store import run_items
from support import packages

NAMES = ("make", "clean", "check")
OPEN = {"workflow": {"steps": [{**packages.STEP, "name": name} for name in NAMES]}, "results": packages.SCORES}
FILES = {"code/score.py": b"pass", "tools/run": b"#!/bin/sh", "data": b"1"}
SCORE = "results/scores.json"
MOMENT = 1_700_000_000_000_000_000


@pytest.fixture
def world(world):
    world.publish(OPEN, files=FILES)
    return world


def with_second(fence):
    """The workflow with a fence around its second step."""
    first, second, third = OPEN["workflow"]["steps"]
    return {**OPEN, "workflow": {"steps": [first, {**second, "files": fence}, third]}}


def stage(world, run, step, workflow="bench"):
    """The manifest of a step."""
    version = run_items.get(run).version
    event = {"run": run, "workflow": workflow, "version": version, "step": step, "outcome": None}
    if step:
        event["outcome"] = {"exitCode": 0, "reason": None, "messages": [], "startedAt": None, "finishedAt": None}
    world.invoke("stage_step", event)
    return json.loads(world.get(f"runs/{run}/manifests/{step:03d}.json"))


def done(world, run, step, written=(), gone=(), folders=(), notes=(), touched=()):
    """What a step's runner leaves when the step has ended; `written` are contents by path."""
    listed = [[path, len(content), False, MOMENT] for path, content in dict(written).items()]
    world.write(run, dict(written))
    tree = {"written": [*listed, *touched], "gone": list(gone), "folders": list(folders), "notes": list(notes)}
    world.put(f"runs/{run}/trees/{step:03d}.json", json.dumps(tree))


def inputs(manifest):
    return {entry["path"]: entry for entry in manifest["inputs"]}


def played(world, *steps, group="bench"):
    """A run whose steps did this, one after the other, before it ends; its id."""
    run = world.start(group)["id"]
    for number, step in enumerate(steps):
        stage(world, run, number, group)
        if step is not None:
            done(world, run, number, **step)
    return run


def test_a_later_step_is_given_what_the_steps_before_left(world):
    run = played(
        world,
        {"written": {"parts/1": b"1", "parts/2": b"2", "model": b"m"}},
        {
            "written": {"parts/two": b"2", "model/weights": b"mm", "tools/run": b"changed"},
            "gone": ["parts/1", "parts/2", "model", "data"],
            "folders": ["empty/deep"],
            "touched": [["tools/run", 7, True, MOMENT + 1], ["code/score.py", None, True, MOMENT + 2]],
        },
    )
    manifest = stage(world, run, 2)
    found = inputs(manifest)
    assert set(found) == {"parts/two", "model/weights", "tools/run", "code/score.py"}
    assert f"/runs/{run}/files/tools/run?" in found["tools/run"]["url"]
    assert "/static/code/score.py?" in found["code/score.py"]["url"], "what was only touched is where it was"
    described = {path: (one["size"], one["executable"], one["modified"] - MOMENT) for path, one in found.items()}
    assert described == {
        "parts/two": (1, False, 0),
        "model/weights": (2, False, 0),
        "tools/run": (7, True, 1),
        "code/score.py": (4, True, 2),
    }
    assert manifest["folders"] == ["empty/deep"]
    # But for the signatures, which are of the second in which they are made.
    assert unsigned(inputs(stage(world, run, 2))) == unsigned(found)


def unsigned(found):
    return {path: {**one, "url": one["url"].partition("?")[0]} for path, one in found.items()}


def test_a_step_is_given_a_form_for_its_tree_and_for_no_other(world):
    manifest = stage(world, world.start()["id"], 0)
    form = manifest["tree"]
    assert form["key"] == form["fields"]["key"] == f"runs/{manifest['run']}/trees/000.json"


def test_a_score_that_a_later_step_took_back_is_not_ranked(world):
    run = played(world, {"written": {SCORE: b'{"score": 1}'}}, {"gone": [SCORE], "written": {"seen": b"1"}})
    world.end(run)
    handle = world.run(run)
    assert (handle["state"], handle["ranking"]["code"]) == ("SUCCESS", "NO_RESULT_FILE")
    assert [file["name"] for file in handle["files"]] == ["seen"]
    assert f"runs/{run}/files/{SCORE}" not in world.listed(), "nor is it for who fills a board anew"
    _, measured = metrics.of(run_items.get(run))(str(next(iter(run_items.get(run).standings))))
    assert measured.code == "NO_RESULT_FILE"


def test_a_score_that_is_written_again_is_ranked(world):
    run = played(world, {"written": {SCORE: b'{"score": 1}'}}, {"gone": [SCORE]}, {"written": {SCORE: b'{"score": 2}'}})
    world.end(run)
    assert world.run(run)["ranking"]["status"] == "ranked"


def test_a_declared_output_that_a_step_took_back_is_missing(world):
    world.publish({**OPEN, "outputs": [{"source": "plot.svg"}]}, "declared")
    run = played(world, {"written": {"plot.svg": b"x"}}, {"gone": ["plot.svg"]}, group="declared")
    world.end(run)
    handle = world.run(run)
    assert (handle["state"], handle["reason"]["code"]) == ("ERROR", "OUTPUT_MISSING")
    assert handle["files"] == []


def test_a_score_of_a_step_that_may_not_write_it_is_no_result(world):
    world.publish(with_second({"outputs": ["predictions.csv"]}), "silent", FILES)
    cheat = {"written": {"predictions.csv": b"1", SCORE: b'{"score": 99}'}}
    # The third step leaves everything, so it might score; it refuses the submission without a word.
    run = played(world, {}, cheat, {}, group="silent")
    world.end(run)
    handle = world.run(run)
    assert (handle["state"], handle["ranking"]["code"]) == ("SUCCESS", "NO_RESULT_FILE")
    assert [file["name"] for file in handle["files"]] == ["predictions.csv"]


def test_a_fence_holds_for_what_a_tree_claims(world):
    world.publish(with_second({"outputs": ["out/"]}), "fenced", FILES)
    run = played(
        world,
        {"written": {"out/old": b"1", "keep": b"2"}},
        {
            "gone": ["out/old", "keep", "code/score.py", SCORE],
            "written": {"code/evil.py": b"3", "out/new": b"4"},
            "touched": [["data", None, True, 1]],
            "folders": ["code/json", "out/empty"],
        },
        group="fenced",
    )
    manifest = stage(world, run, 2, "fenced")
    assert set(inputs(manifest)) == {*FILES, "keep", "out/new"}
    assert inputs(manifest)["data"]["executable"] is False
    assert manifest["folders"] == ["out/empty"]


def test_what_stands_in_the_way_of_a_hidden_file_is_named_and_not_kept(world):
    world.publish(with_second({"inputs": ["data"], "outputs": ["*"]}), "hidden", FILES)
    written = {"code": b"a file", "tools": b"another", "out": b"1"}
    run = played(world, {}, {"written": written}, group="hidden")
    assert set(inputs(stage(world, run, 2, "hidden"))) == {*FILES, "out"}
    done(world, run, 2)
    world.end(run)
    handle = world.run(run)
    assert (handle["state"], [file["name"] for file in handle["files"]]) == ("SUCCESS", ["out"])
    assert [message.partition(" ")[0] for message in handle["messages"]] == ["'code'", "'tools'"]


def test_a_success_names_what_its_steps_could_not_deliver(world):
    note = "'tab\\\\there' was not delivered: a path has no control characters"
    run = played(world, {"written": {"a": b"1"}, "notes": [note]}, {"notes": ["second"]}, {})
    world.end(run)
    assert (world.run(run)["state"], world.run(run)["messages"]) == ("SUCCESS", [note, "second"])


def test_a_failure_names_them_too_and_nothing_twice(world):
    run = played(world, {"notes": ["first"]}, {"notes": ["second", "third"]})
    reason = {"code": "STEP_FAILED", "detail": "no"}
    world.end(run, outcome={"exitCode": 1, "reason": reason, "messages": ["said", "second\nthird"]})
    assert world.run(run)["messages"] == ["no", "said", "second\nthird", "first"]


def test_a_success_of_which_all_was_delivered_has_no_messages(world):
    run = played(world, {"written": {"a": b"1"}})
    world.end(run)
    assert "messages" not in world.run(run)


@pytest.mark.parametrize("tree", [None, b"", b"{", b"[]", b"null", b'{"written": 1}', b"[" * 100_000, b"\xff"])
def test_without_a_sound_tree_nothing_is_lost(world, tree):
    run = played(world, {"written": {"a": b"1", "b": b"2"}}, None)
    world.write(run, {"c": b"3"})
    if tree is not None:
        world.put(f"runs/{run}/trees/001.json", tree)
    assert set(inputs(stage(world, run, 2))) == {*FILES, "a", "b", "c"}
    world.end(run, outcome=None, failure={"Error": "Lambda.Unknown", "Cause": ""})
    assert [file["name"] for file in world.run(run)["files"]] == ["a", "b", "c"]


def test_what_was_taken_back_before_a_step_died_stays_away(world):
    run = played(world, {"written": {"a": b"1", "b": b"2"}}, {"gone": ["a"]}, None)
    world.write(run, {"c": b"3"})
    world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={})
    for _ in range(2):
        world.invoke("update_run", {"executionArn": f"arn:{run}", "name": run, "status": "ABORTED"})
    assert [file["name"] for file in world.run(run)["files"]] == ["b", "c"]


def test_a_run_may_be_ended_again_after_half_of_it_was_done(world, monkeypatch):
    run = played(world, {"written": {SCORE: b'{"score": 1}', "a": b"1"}}, {"gone": [SCORE], "written": {"b": b"2"}})
    with monkeypatch.context() as patch:
        patch.setattr(run_items, "finish", lambda *_: (_ for _ in ()).throw(RuntimeError("died")))
        with pytest.raises(RuntimeError, match="died"):
            world.end(run)
    world.end(run)
    handle = world.run(run)
    assert (handle["state"], [file["name"] for file in handle["files"]]) == ("SUCCESS", ["a", "b"])


def test_what_an_engine_outside_delivers_has_no_trees(world):
    world.publish(packages.DELIVERED, "outside")
    run = world.start("outside", config={"engine": "external"})["id"]
    world.await_results(run)
    world.write(run, {SCORE: b'{"score": 1}', "results/plots/a": b"1", "more": b"2"})
    world.end(run)
    assert world.run(run)["fileCount"] == 2
    assert f"runs/{run}/files/more" in world.listed()


def test_a_job_is_given_the_same(world, monkeypatch):
    monkeypatch.setenv("BATCH", "true")
    monkeypatch.setenv("API_URL", "https://api.test/v1")
    monkeypatch.setattr(batch_jobs, "_program", lambda: b"the program")
    job = {"name": "job", "action": {"environment": "r-base:4.4", "commands": ["wc"]}}
    world.publish({**OPEN, "workflow": {"steps": [packages.STEP, job]}}, "jobs", FILES)
    run = world.start("jobs")["id"]
    stage(world, run, 0, "jobs")
    done(world, run, 0, {"a": b"1"}, gone=["data"], folders=["empty"])
    version = run_items.get(run).version
    event = {"run": run, "workflow": "jobs", "version": version, "step": 1, "outcome": None}
    asked = world.invoke("stage_step", event)["job"]["fetch"][3].rpartition("/")[2]
    path = {"runId": run, "jobId": asked}
    world.call("get_job_manifest", "GET", "/runs/{runId}/jobs/{jobId}", path, 302, user=None)
    manifest = json.loads(world.get(f"runs/{run}/manifests/001.json"))
    assert set(inputs(manifest)) == {"code/score.py", "tools/run", "a"}
    assert (manifest["folders"], manifest["tree"]["key"]) == (["empty"], f"runs/{run}/trees/001.json")


def test_packages_keep_executable_bits_and_empty_folders(world):
    members = {**FILES, "plots/": b"", "cache/deep/": b""}
    world.publish(OPEN, "kept", members, executable={"tools/run"})
    run = world.start("kept")["id"]
    manifest = stage(world, run, 0, "kept")
    assert [path for path, one in inputs(manifest).items() if one["executable"]] == ["tools/run"]
    assert len({one["modified"] for one in manifest["inputs"]}) == 1, "one moment for all: the version's"
    assert manifest["folders"] == ["cache/deep", "plots"]


def test_an_archive_names_outputs_by_where_they_were_written(world):
    world.publish({**OPEN, "outputs": [{"source": "out/table.csv", "key": "Table"}]}, "keyed")
    run = played(world, {"written": {"out/table.csv": b"1"}}, group="keyed")
    world.end(run)
    assert world.run(run)["files"][0]["name"] == "Table"
    with tarfile.open(fileobj=io.BytesIO(world.get(f"runs/{run}/archive.tar.gz"))) as members:
        assert members.getnames() == ["out/table.csv", "manifest.json"]
        listed = json.load(members.extractfile("manifest.json"))["files"]
    assert [file["name"] for file in listed] == ["out/table.csv"]


def test_what_a_tree_says_is_taken_for_no_more_than_it_is():
    assert run_directory.parse({"written": [["../a", 1, False, 0]], "gone": [], "folders": [], "notes": []}, 0) is None
    told = {"written": [["a", 1, 1, 10**30]], "gone": ["b"], "folders": ["c"], "notes": ["x" * 999] * 200}
    tree = run_directory.parse(told, 0)
    assert (tree.written["a"], len(tree.notes)) == (
        run_directory.Written(1, False, run_directory.LATEST),
        run_directory.MAX_NOTES,
    )
    assert max(map(len, tree.notes)) == run_directory.MAX_NOTE_LENGTH

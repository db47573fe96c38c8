"""Downloads are redirects to S3, for whoever may, under the right name, for minutes."""

import json
import urllib.parse

import pytest

from flowserverless.store import workflow_items
from support import gateway, packages

WRITTEN = {"out/scores.csv": b"a,b", "out/Ärger 機械.html": b"<b>"}
POSTPROC = {
    "workflow": {"steps": [packages.STEP], "files": {"outputs": ["wall.svg"]}},
    "inputs": {"files": ["results/scores.json"]},
    "outputs": [{"source": "wall.svg", "key": "wall", "title": "Wall"}],
}
FILE = ("get_result_file", "GET", "/runs/{runId}/downloads/files/{fileId}")
ARCHIVE = ("get_result_archive", "GET", "/runs/{runId}/downloads/archive")
LINK_MINUTES = 5


@pytest.fixture
def run(world):
    """A run with two files."""
    outputs = [{"source": "out/scores.csv", "key": "scores"}, {"source": "out/Ärger 機械.html"}]
    world.publish({"workflow": {"steps": [packages.STEP]}, "outputs": outputs})
    started = world.start()["id"]
    world.write(started, WRITTEN)
    world.end(started)
    return started


@pytest.fixture
def wall(world):
    """A post-processing run with its result."""
    world.publish({"workflow": {"steps": [packages.STEP]}, "results": packages.SCORES, "postproc": POSTPROC})
    return post_processed(world, 1, {"wall.svg": b"<svg/>"})


def post_processed(world, score, written):
    """A post-processing run that follows a change of the ranking, with what it wrote."""
    ranked = world.start()["id"]
    world.write(ranked, {"results/scores.json": json.dumps({"score": score}).encode()})
    assert world.end(ranked)["rankingChanged"]
    world.invoke("post_process", {"workflow": "bench"})
    started = workflow_items.get("bench").active_run
    version = workflow_items.get("bench").version
    world.invoke("stage_step", {"run": started, "workflow": "bench", "version": version, "step": 0, "outcome": None})
    world.write(started, written)
    world.end(started)
    return started


def link(answer):
    """Where a redirect leads: key and query."""
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (302, b"", "no-store")
    url = urllib.parse.urlsplit(answer.headers["location"])
    return urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query))


def test_a_file_is_a_link_for_minutes_under_its_name(world, run):
    path, query = link(world.call(*FILE, {"runId": run, "fileId": f"{run[:8]}-000000"}))
    assert path.endswith(f"/runs/{run}/files/out/scores.csv")
    assert query["X-Amz-Expires"] == str(LINK_MINUTES * 60)
    assert query["response-content-type"] == "text/csv"
    assert query["response-content-disposition"].startswith('attachment; filename="scores.csv"')

    path, query = link(world.call(*FILE, {"runId": run, "fileId": f"{run[:8]}-000001"}))
    assert path.endswith("/files/out/Ärger 機械.html")
    name = urllib.parse.quote("Ärger 機械.html")
    assert query["response-content-disposition"] == f"attachment; filename=\"_rger __.html\"; filename*=UTF-8''{name}"


def test_unknown_files_are_not_found(world, run):
    for file in [
        "000000",
        f"{run[:8]}-000002",
        "ABCDEFGH-000000",
        "0",
        "000100",
        "99999999",
        "9" * 40,
        "x",
        "\u0660",
        "-1",
        "000000 ",
        "../x",
    ]:
        assert world.call(*FILE, {"runId": run, "fileId": file}, 404).json["title"] == "Not Found"


def test_the_archive_is_a_link_too(world, run):
    path, query = link(world.call(*ARCHIVE, {"runId": run}))
    assert path.endswith(f"/runs/{run}/archive.tar.gz")
    assert query["response-content-type"] == "application/gzip"
    assert 'filename="run.tar.gz"' in query["response-content-disposition"]


def test_an_active_run_has_no_archive_and_no_files_yet(world, run):
    active = world.start()["id"]
    assert world.call(*ARCHIVE, {"runId": active}, 409).json["code"] == "RUN_IS_ACTIVE"
    assert world.call(*FILE, {"runId": active, "fileId": f"{active[:8]}-000000"}, 404)


def test_a_run_without_an_archive_says_why(world, run, monkeypatch):
    monkeypatch.setenv("ARCHIVE_BYTES", "1")
    large = world.start()["id"]
    world.write(large, WRITTEN)
    world.end(large)
    refused = world.call(*ARCHIVE, {"runId": large}, 404).json
    assert refused["code"] == "NO_ARCHIVE"
    assert "more than the 1" in refused["detail"]


def test_who_may_download_a_groups_results(world, run, monkeypatch):
    may = [(gateway.ADA, 302, 302), (gateway.ORGANISER, 302, 302), (gateway.BOB, 403, 302), (None, 401, 302)]
    for user, closed, public in may:
        for switch, status in [("false", closed), ("true", public)]:
            monkeypatch.setenv("PUBLIC_DOWNLOADS", switch)
            world.call(*FILE, {"runId": run, "fileId": f"{run[:8]}-000000"}, status, user=user)
            world.call(*ARCHIVE, {"runId": run}, status, user=user)
            # Only downloads are opened.
            seen = closed if closed > 400 else 200
            world.call("get_run", "GET", "/runs/{runId}", {"runId": run}, seen, user=user)
            world.call("list_run_files", "GET", "/runs/{runId}/files", {"runId": run}, seen, user=user)


def test_strangers_do_not_learn_which_runs_there_are(world, run, monkeypatch):
    unknown = f"{'0' * 26}-bench"
    for user, status in [(None, 401), (gateway.BOB, 403)]:
        there = world.call(*ARCHIVE, {"runId": run}, status, user=user).json
        absent = world.call(*ARCHIVE, {"runId": unknown}, status, user=user).json
        assert there["code"] == absent["code"]
    monkeypatch.setenv("PUBLIC_DOWNLOADS", "true")
    world.call(*ARCHIVE, {"runId": unknown}, 404, user=None)


def test_post_processing_results_are_everybodys(world, wall):
    for user in (None, gateway.BOB):
        path, query = link(world.call(*FILE, {"runId": wall, "fileId": f"{wall[:8]}-000000"}, user=user))
        assert path.endswith(f"/runs/{wall}/files/wall.svg")
        assert 'filename="wall.svg"' in query["response-content-disposition"]
        link(world.call(*ARCHIVE, {"runId": wall}, user=user))


def test_a_workflow_hands_out_its_current_post_processing_results(world, wall):
    place = "/workflows/{workflowId}/downloads"
    names = {"workflowId": "bench", "fileId": f"{wall[:8]}-000000"}
    path, query = link(world.call("get_workflow_file", "GET", f"{place}/files/{{fileId}}", names, user=None))
    assert (path.endswith(f"/runs/{wall}/files/wall.svg"), query["response-content-type"]) == (True, "image/svg+xml")
    path, query = link(world.call("get_workflow_archive", "GET", f"{place}/archive", names, user=None))
    assert path.endswith(f"/runs/{wall}/archive.tar.gz")
    assert 'filename="results.tar.gz"' in query["response-content-disposition"]
    world.call("get_workflow_file", "GET", f"{place}/files/{{fileId}}", {**names, "fileId": "000007"}, 404, user=None)


def test_a_workflow_without_results_has_no_downloads(world, run):
    for workflow in ("bench", "unknown"):
        path = ("get_workflow_archive", "GET", "/workflows/{workflowId}/downloads/archive")
        world.call(*path, {"workflowId": workflow}, 404, user=None)


WORKFLOW_FILE = ("get_workflow_file", "GET", "/workflows/{workflowId}/downloads/files/{fileId}")
SHOWN = (
    ("get_workflow", "GET", "/workflows/{workflowId}", {"workflowId": "bench"}),
    ("get_leaderboard", "GET", "/workflows/{workflowId}/leaderboard", {"workflowId": "bench"}),
)


def test_an_old_link_to_a_post_processing_result_leads_to_no_newer_one(world, wall):
    (old,) = world.call(*SHOWN[0]).json["postproc"]["files"]
    newer = post_processed(world, 2, {"wall.svg": b"<svg>newer</svg>"})
    for read in SHOWN:
        (new,) = world.call(*read).json["postproc"]["files"]
        assert (new["name"], new["id"] == old["id"]) == (old["name"], False)
        path, _ = link(world.call(*WORKFLOW_FILE, {"workflowId": "bench", "fileId": new["id"]}, user=None))
        assert path.endswith(f"/runs/{newer}/files/wall.svg")
    world.call(*WORKFLOW_FILE, {"workflowId": "bench", "fileId": old["id"]}, 404, user=None)


def test_a_workflow_and_its_leaderboard_show_all_files_of_post_processing(world):
    postproc = {**POSTPROC, "outputs": [{"source": "plots/"}]}
    world.publish({"workflow": {"steps": [packages.STEP]}, "results": packages.SCORES, "postproc": postproc})
    names = [f"plots/{number:03d}.svg" for number in range(150)]
    run = post_processed(world, 1, dict.fromkeys(names, b"<svg/>"))
    for read in SHOWN:
        shown = world.call(*read, user=None).json["postproc"]
        assert [file["name"] for file in shown["files"]] == names
        assert shown["fileCount"] == 150
    last = {"workflowId": "bench", "fileId": shown["files"][-1]["id"]}
    path, _ = link(world.call(*WORKFLOW_FILE, last, user=None))
    assert path.endswith(f"/runs/{run}/files/{names[-1]}")

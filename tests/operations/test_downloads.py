"""Downloads are redirects to S3, for whoever may, under the right name, for minutes."""

import json
import urllib.parse

import pytest

from flowserverless.store import workflow_items
from support import gateway, workbench

WRITTEN = {"out/scores.csv": b"a,b", "out/Ärger 機械.html": b"<b>"}
POSTPROC = {
    "workflow": {"steps": [workbench.STEP], "files": {"outputs": ["wall.svg"]}},
    "inputs": {"files": ["results/scores.json"]},
    "outputs": [{"source": "wall.svg", "key": "wall", "title": "Wall"}],
}
FILE = ("get_result_file", "GET", "/runs/{runId}/downloads/files/{fileId}")
ARCHIVE = ("get_result_archive", "GET", "/runs/{runId}/downloads/archive")
LINK_MINUTES = 5


@pytest.fixture
def bench(invoke, monkeypatch, table, bucket, state_machine):
    return workbench.Bench(invoke, monkeypatch)


@pytest.fixture
def run(bench):
    """A run with two files."""
    outputs = [{"source": "out/scores.csv", "key": "scores"}, {"source": "out/Ärger 機械.html"}]
    bench.publish({"workflow": {"steps": [workbench.STEP]}, "outputs": outputs})
    started = bench.start()["id"]
    bench.write(started, WRITTEN)
    bench.end(started)
    return started


@pytest.fixture
def wall(bench):
    """A post-processing run with its result."""
    bench.publish({"workflow": {"steps": [workbench.STEP]}, "results": workbench.SCORES, "postproc": POSTPROC})
    return post_processed(bench, 1, {"wall.svg": b"<svg/>"})


def post_processed(bench, score, written):
    """A post-processing run that follows a change of the ranking, with what it wrote."""
    ranked = bench.start()["id"]
    bench.write(ranked, {"results/scores.json": json.dumps({"score": score}).encode()})
    assert bench.end(ranked)["rankingChanged"]
    bench.invoke("post_process", {"workflow": "bench"})
    started = workflow_items.get("bench").active_run
    version = workflow_items.get("bench").version
    bench.invoke("stage_step", {"run": started, "workflow": "bench", "version": version, "step": 0, "outcome": None})
    bench.write(started, written)
    bench.end(started)
    return started


def link(answer):
    """Where a redirect leads: key and query."""
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (302, b"", "no-store")
    url = urllib.parse.urlsplit(answer.headers["location"])
    return urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query))


def test_a_file_is_a_link_for_minutes_under_its_name(bench, run):
    path, query = link(bench.call(*FILE, {"runId": run, "fileId": f"{run[:8]}-000000"}))
    assert path.endswith(f"/runs/{run}/files/out/scores.csv")
    assert query["X-Amz-Expires"] == str(LINK_MINUTES * 60)
    assert query["response-content-type"] == "text/csv"
    assert query["response-content-disposition"].startswith('attachment; filename="scores.csv"')

    path, query = link(bench.call(*FILE, {"runId": run, "fileId": f"{run[:8]}-000001"}))
    assert path.endswith("/files/out/Ärger 機械.html")
    name = urllib.parse.quote("Ärger 機械.html")
    assert query["response-content-disposition"] == f"attachment; filename=\"_rger __.html\"; filename*=UTF-8''{name}"


def test_unknown_files_are_not_found(bench, run):
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
        assert bench.call(*FILE, {"runId": run, "fileId": file}, 404).json["title"] == "Not Found"


def test_the_archive_is_a_link_too(bench, run):
    path, query = link(bench.call(*ARCHIVE, {"runId": run}))
    assert path.endswith(f"/runs/{run}/archive.tar.gz")
    assert query["response-content-type"] == "application/gzip"
    assert 'filename="run.tar.gz"' in query["response-content-disposition"]


def test_an_active_run_has_no_archive_and_no_files_yet(bench, run):
    active = bench.start()["id"]
    assert bench.call(*ARCHIVE, {"runId": active}, 409).json["code"] == "RUN_IS_ACTIVE"
    assert bench.call(*FILE, {"runId": active, "fileId": f"{active[:8]}-000000"}, 404)


def test_a_run_without_an_archive_says_why(bench, run, monkeypatch):
    monkeypatch.setenv("ARCHIVE_BYTES", "1")
    large = bench.start()["id"]
    bench.write(large, WRITTEN)
    bench.end(large)
    refused = bench.call(*ARCHIVE, {"runId": large}, 404).json
    assert refused["code"] == "NO_ARCHIVE"
    assert "more than the 1" in refused["detail"]


def test_who_may_download_a_groups_results(bench, run, monkeypatch):
    may = [(gateway.ADA, 302, 302), (gateway.ORGANISER, 302, 302), (gateway.BOB, 403, 302), (None, 401, 302)]
    for user, closed, public in may:
        for switch, status in [("false", closed), ("true", public)]:
            monkeypatch.setenv("PUBLIC_DOWNLOADS", switch)
            bench.call(*FILE, {"runId": run, "fileId": f"{run[:8]}-000000"}, status, user=user)
            bench.call(*ARCHIVE, {"runId": run}, status, user=user)
            # Only downloads are opened.
            seen = closed if closed > 400 else 200
            bench.call("get_run", "GET", "/runs/{runId}", {"runId": run}, seen, user=user)
            bench.call("list_run_files", "GET", "/runs/{runId}/files", {"runId": run}, seen, user=user)


def test_strangers_do_not_learn_which_runs_there_are(bench, run, monkeypatch):
    unknown = f"{'0' * 26}-bench"
    for user, status in [(None, 401), (gateway.BOB, 403)]:
        there = bench.call(*ARCHIVE, {"runId": run}, status, user=user).json
        absent = bench.call(*ARCHIVE, {"runId": unknown}, status, user=user).json
        assert there["code"] == absent["code"]
    monkeypatch.setenv("PUBLIC_DOWNLOADS", "true")
    bench.call(*ARCHIVE, {"runId": unknown}, 404, user=None)


def test_post_processing_results_are_everybodys(bench, wall):
    for user in (None, gateway.BOB):
        path, query = link(bench.call(*FILE, {"runId": wall, "fileId": f"{wall[:8]}-000000"}, user=user))
        assert path.endswith(f"/runs/{wall}/files/wall.svg")
        assert 'filename="wall.svg"' in query["response-content-disposition"]
        link(bench.call(*ARCHIVE, {"runId": wall}, user=user))


def test_a_workflow_hands_out_its_current_post_processing_results(bench, wall):
    place = "/workflows/{workflowId}/downloads"
    names = {"workflowId": "bench", "fileId": f"{wall[:8]}-000000"}
    path, query = link(bench.call("get_workflow_file", "GET", f"{place}/files/{{fileId}}", names, user=None))
    assert (path.endswith(f"/runs/{wall}/files/wall.svg"), query["response-content-type"]) == (True, "image/svg+xml")
    path, query = link(bench.call("get_workflow_archive", "GET", f"{place}/archive", names, user=None))
    assert path.endswith(f"/runs/{wall}/archive.tar.gz")
    assert 'filename="results.tar.gz"' in query["response-content-disposition"]
    bench.call("get_workflow_file", "GET", f"{place}/files/{{fileId}}", {**names, "fileId": "000007"}, 404, user=None)


def test_a_workflow_without_results_has_no_downloads(bench, run):
    for workflow in ("bench", "unknown"):
        path = ("get_workflow_archive", "GET", "/workflows/{workflowId}/downloads/archive")
        bench.call(*path, {"workflowId": workflow}, 404, user=None)


WORKFLOW_FILE = ("get_workflow_file", "GET", "/workflows/{workflowId}/downloads/files/{fileId}")
SHOWN = (
    ("get_workflow", "GET", "/workflows/{workflowId}", {"workflowId": "bench"}),
    ("get_leaderboard", "GET", "/workflows/{workflowId}/leaderboard", {"workflowId": "bench"}),
)


def test_an_old_link_to_a_post_processing_result_leads_to_no_newer_one(bench, wall):
    (old,) = bench.call(*SHOWN[0]).json["postproc"]["files"]
    newer = post_processed(bench, 2, {"wall.svg": b"<svg>newer</svg>"})
    for read in SHOWN:
        (new,) = bench.call(*read).json["postproc"]["files"]
        assert (new["name"], new["id"] == old["id"]) == (old["name"], False)
        path, _ = link(bench.call(*WORKFLOW_FILE, {"workflowId": "bench", "fileId": new["id"]}, user=None))
        assert path.endswith(f"/runs/{newer}/files/wall.svg")
    bench.call(*WORKFLOW_FILE, {"workflowId": "bench", "fileId": old["id"]}, 404, user=None)


def test_a_workflow_and_its_leaderboard_show_all_files_of_post_processing(bench):
    postproc = {**POSTPROC, "outputs": [{"source": "plots/"}]}
    bench.publish({"workflow": {"steps": [workbench.STEP]}, "results": workbench.SCORES, "postproc": postproc})
    names = [f"plots/{number:03d}.svg" for number in range(150)]
    run = post_processed(bench, 1, dict.fromkeys(names, b"<svg/>"))
    for read in SHOWN:
        shown = bench.call(*read, user=None).json["postproc"]
        assert [file["name"] for file in shown["files"]] == names
        assert shown["fileCount"] == 150
    last = {"workflowId": "bench", "fileId": shown["files"][-1]["id"]}
    path, _ = link(bench.call(*WORKFLOW_FILE, last, user=None))
    assert path.endswith(f"/runs/{run}/files/{names[-1]}")

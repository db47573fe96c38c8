"""What is shown of a run: its values, its place, who started it with which files, all of it in a listing too."""

from datetime import timedelta

import pytest

from flowserverless.api import details
from flowserverless.store import boards, run_items
from support import dynamodb_requests, gateway, packages, scenario

ADA = {"id": gateway.ADA.id, "username": gateway.ADA.name}
FILE = {"name": "data", "dtype": "file", "target": "data/mine.csv", "isRequired": False}


@pytest.fixture
def world(world):
    """A workflow with three groups of ada's."""
    world.now = scenario.START
    scenario.put_workflow("w", packages.ranked(parameters=[FILE]))
    scenario.put_groups("w", "g", "h", "i")
    return world


def scored(world, group, score):
    """A run that has ended with a score."""
    run = world.started(group)
    world.now += timedelta(seconds=1)
    world.succeed(run, score)
    return run


def shown(world, run, **who):
    """The handle of a run."""
    return world.ask("get_run", "GET", "/runs/{runId}", {"runId": run}, **who).json


def listed(world, group="g", **query):
    """The lines of a group's runs."""
    return world.ask("list_runs", "GET", "/groups/{groupId}/runs", {"groupId": group}, query=query).json["runs"]


def test_a_run_has_the_values_and_the_rank_of_its_line_of_the_board(world):
    runs = [scored(world, group, score) for group, score in (("g", 0.5), ("h", 0.9), ("i", 0.9))]
    board = world.ask("get_leaderboard", "GET", "/workflows/{workflowId}/leaderboard", {"workflowId": "w"}).json
    lines = {line["run"]["id"]: line for line in board["ranking"]}
    assert sorted(line["rank"] for line in lines.values()) == [1, 1, 3]
    for run in runs:
        handle = shown(world, run)
        assert handle["ranking"] == {"status": "ranked", "rank": lines[run]["rank"]}
        assert handle["results"] == lines[run]["results"]


def test_a_rank_far_down_is_not_counted(world, monkeypatch):
    runs = [scored(world, group, score) for group, score in (("g", 0.1), ("h", 0.2), ("i", 0.3))]
    monkeypatch.setattr(boards, "MAX_COUNTED", 1)
    assert [shown(world, run)["ranking"].get("rank") for run in runs] == [None, 2, 1]


@pytest.mark.parametrize(
    ("score", "code", "how"), [(0.5, "EQUAL_RUN", "was as good before"), (0.4, "BETTER_RUN", "is better")]
)
def test_an_equal_run_is_not_called_a_better_one(world, score, code, how):
    first, second = scored(world, "g", 0.5), scored(world, "g", score)
    expected = {"status": "superseded", "code": code, "detail": f"the group's run {first} {how}", "by": first}
    assert shown(world, second)["ranking"] == expected
    assert listed(world)[0]["ranking"] == expected
    assert shown(world, second)["results"][0] == {"name": "score", "value": score}


def test_a_run_that_is_not_ranked_says_why_in_a_listing_too(world):
    run = scored(world, "g", "many")
    (line,) = listed(world)
    assert line["ranking"] == shown(world, run)["ranking"]
    assert (line["ranking"]["status"], "results" in line) == ("not_ranked", False)


def test_a_run_tells_who_started_it_with_which_files(world):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xa4 b.csv"\r\n\r\n1\r\n--b--\r\n'
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    sent = world.ask("upload_file", "POST", "/uploads/{groupId}/files", {"groupId": "g"}, body=head, headers=form).json
    argument = {"name": "data", "value": {"type": "$file", "value": {"fileId": sent["id"]}}}
    started = world.try_start("g", arguments=[argument]).json
    world.cancel(started["id"])
    upload = {"groupId": "g", "fileId": sent["id"]}
    assert world.ask("delete_upload", "DELETE", "/uploads/{groupId}/files/{fileId}", upload).status == 204
    for told in (started, shown(world, started["id"]), *listed(world)):
        assert told["startedBy"] == ADA
        assert told["inputs"] == [{"id": sent["id"], "name": "ä b.csv"}]


def test_who_has_left_the_group_is_no_name_any_more(world):
    run = scored(world, "g", 0.5)
    scenario.dismiss("g", gateway.ADA.id)
    assert shown(world, run, user=gateway.ORGANISER)["startedBy"] == {"id": gateway.ADA.id}


def test_a_failed_run_says_why_in_a_listing(world):
    run = world.started("g")
    world.end(run, scenario.FAILED)
    (line,) = listed(world)
    assert line["reason"] == shown(world, run)["reason"]
    assert {"startedAt", "finishedAt"} <= line.keys()


def test_lines_of_runs_cost_no_further_read_for_each(world):
    for score in (0.1, 0.2, 0.3):
        scored(world, "g", score)
    for limit in ("1", "3"):
        with dynamodb_requests.to_dynamodb() as made:
            lines = listed(world, limit=limit)
        assert made == ["BatchGetItem", "Query", "BatchGetItem"]
        assert all(line["startedBy"] == ADA and line["results"] and line["ranking"] for line in lines)
    group = world.ask("get_group", "GET", "/groups/{groupId}", {"groupId": "g"}).json
    assert group["runs"] == listed(world)


def test_a_listing_that_would_be_too_long_tells_less_of_older_runs(world, monkeypatch):
    runs = [scored(world, "g", score) for score in (0.1, 0.2, 0.3)]
    monkeypatch.setattr(details, "LINES_BYTES", 300)
    lines = listed(world)
    assert [line["id"] for line in lines] == runs[::-1]
    assert "results" in lines[0]
    assert lines[-1].keys() == {"id", "state", "createdAt"}


def test_values_that_take_much_room_are_the_boards_alone(world, monkeypatch):
    monkeypatch.setattr(boards, "RESULT_BYTES", 10)
    run = scored(world, "g", 0.5)
    assert "results" not in shown(world, run)
    assert run_items.get(run).standings

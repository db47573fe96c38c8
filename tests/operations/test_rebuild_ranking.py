"""A workflow reads results otherwise than before: the runs that it has are ranked anew, and no reader notices."""

import contextlib
import itertools
from datetime import timedelta

import pytest

from flowserverless.api import leaderboard
from flowserverless.domain import ids, runs
from flowserverless.operations import metrics, rebuild, reconcile
from flowserverless.store import bucket, group_items, rebuilds, run_items, version_items, workflow_items
from support import dynamodb_requests, gateway, packages, ranking_model, scenario

pytestmark = pytest.mark.usefixtures("table", "bucket", "state_machine")

BY_TIME = packages.ranked(results=packages.results_by("-seconds", "-score"))
BY_NOTE = packages.ranked(results=packages.results_by("note"))
# 15 minutes are what a board that is not shown any more is kept for its last readers.
LATER = 16 * 60


def go_on(at=0, seconds=3600):
    """Go on with the workflow's boards; 0 seconds are one page."""
    return rebuild.ranking("w", scenario.START + timedelta(seconds=at), seconds)


def succeed(group, at, score=None, seconds=None, note=None, run=None):
    """A run that wrote a result file and was ranked by it."""
    run = run or scenario.put_run("w", group)
    document = {"metrics": {"score": score}, "seconds": seconds, "note": note}
    bucket.write_json(bucket.result(run, "results/score.json"), document)
    scenario.end_run(run, at=at, measure=metrics.of(run_items.get(run)))
    return run


def shown(include_all=False):
    """The runs on the leaderboard, which has the columns of the board that is shown."""
    board = leaderboard.show("w", None, include_all, 1000, None)
    head = workflow_items.get("w")
    assert head.board is None or board["schema"] == [
        {"name": column["name"], "label": column["label"], "dtype": column["dtype"]}
        for column in version_items.get("w", ids.version_of(head.board)).document["results"]["schema"]
    ]
    return [line["run"]["id"] for line in board["ranking"]]


def left_of(board):
    """How many items of a board there are."""
    parts = ("ALL", "BEST", *(f"G#{group}" for group in "abcd"))
    return sum(len(ranking_model.listed("w", board, part)) for part in parts)


def boards_of(group):
    return set(group_items.get(group).bests)


@pytest.fixture
def three():
    """Two groups with three runs, of which the order depends on what counts."""
    scenario.put_workflow()
    scenario.put_groups("w", "a", "b")
    first = succeed("a", 1, score=0.9, seconds=30, note="m")
    second = succeed("b", 2, score=0.8, seconds=10, note="z")
    third = succeed("a", 3, score=0.7, seconds=20, note="a")
    return first, second, third


def test_another_order_ranks_the_kept_results_and_removes_the_old_board(three):
    first, second, third = three
    old = workflow_items.get("w").board
    assert shown(True) == [first, second, third]
    scenario.put_workflow("w", BY_TIME)
    assert shown(True) == [first, second, third]
    before = workflow_items.get("w")
    assert go_on()
    head = workflow_items.get("w")
    assert (head.board, head.next_board) == (before.next_board, None)
    assert head.ranking_version == before.ranking_version + 1
    assert shown(True) == [second, third, first]
    assert shown() == [second, third]
    assert ranking_model.stored_statuses(three, head.board) == {
        first: ("superseded", third),
        second: ("ranked", None),
        third: ("ranked", None),
    }
    assert boards_of("a") == boards_of("b") == {head.board}
    assert left_of(old) == 8
    assert go_on(LATER)
    assert left_of(old) == 0
    assert rebuilds.first("w", scenario.moment(10 * LATER)) is None


def test_a_version_that_reads_results_as_the_one_before_keeps_the_board(three):
    board = workflow_items.get("w").board
    scenario.put_workflow("w", packages.ranked(outputs=[{"source": "results/score.json", "title": "Score"}]))
    head = workflow_items.get("w")
    assert (head.board, head.next_board) == (board, None)
    assert rebuilds.first("w", scenario.moment(LATER)) is None
    assert len(shown(True)) == 3


def test_a_column_that_old_results_lack_is_why_they_are_not_ranked(three):
    schema = [*packages.RESULTS["schema"], {"name": "depth", "label": "Depth", "dtype": "int"}]
    scenario.put_workflow("w", packages.ranked(results=packages.results_by("depth", schema=schema)))
    go_on()
    board = workflow_items.get("w").board
    assert set(ranking_model.stored_statuses(three, board).values()) == {("not_ranked", "MISSING_COLUMN")}
    assert shown(True) == []


def test_a_result_file_that_was_not_kept_is_why_a_run_is_not_ranked(three):
    scenario.put_workflow("w", packages.ranked(results=packages.results_by("score", file="results/other.json")))
    go_on()
    board = workflow_items.get("w").board
    assert set(ranking_model.stored_statuses(three, board).values()) == {("not_ranked", "NO_RESULT_FILE")}


def test_readers_see_the_old_board_or_the_new_one_whatever_happens_on_the_way(three, monkeypatch):
    """One page holds one run; between any two pages something else happens to the ranking."""
    monkeypatch.setattr(rebuild, "RUNS", 1)
    monkeypatch.setattr(rebuild, "GROUPS", 1)
    monkeypatch.setattr(rebuild, "ENTRIES", 1)
    first, second, third = three
    present = {first: (0.9, 30, 1), second: (0.8, 10, 2), third: (0.7, 20, 3)}
    waiting = scenario.put_run("w", "b")
    scenario.put_workflow("w", BY_TIME)
    new = workflow_items.get("w").next_board

    def by_score():
        return sorted(present, key=lambda run: (-present[run][0], present[run][1]))

    def by_time():
        return sorted(present, key=lambda run: (present[run][1], -present[run][0]))

    def end_one(group, score, seconds, at, run=None):
        present[succeed(group, at, score=score, seconds=seconds, run=run)] = (score, seconds, at)

    def remove(run):
        scenario.delete_run(run)
        del present[run]

    def join():
        scenario.put_groups("w", "aa")
        end_one("aa", 0.99, 40, 6)

    events = iter(
        [
            lambda: end_one("b", 0.95, 5, 4, waiting),
            lambda: remove(third),
            join,
            lambda: end_one("a", 0.6, 1, 7),
            lambda: remove(second),
            lambda: scenario.put_groups("w", "d"),
            lambda: end_one("d", 0.5, 2, 8),
        ]
    )
    seen = set()
    for _ in range(60):
        assert shown(True) == (by_time() if workflow_items.get("w").board == new else by_score())
        seen.add(workflow_items.get("w").board)
        if go_on(seconds=0) and next(events, None) is None:
            break
        next(events, lambda: None)()
    else:
        pytest.fail("the rebuild does not come to an end")
    assert len(seen) == 2
    assert next(events, None) is None
    assert go_on(LATER)
    assert rebuilds.first("w", scenario.moment(10 * LATER)) is None
    best = {}
    for run in by_time():
        best.setdefault(ids.run_id(run).owner.name, run)
    assert shown() == list(best.values())


def to_the_end(at=0):
    """Rebuild although every function dies, each after one request more than the one before."""
    for requests in itertools.count(1):
        with contextlib.suppress(dynamodb_requests.Died), dynamodb_requests.no_more_than(requests):
            assert go_on(at)
            return requests
    return None


def test_a_function_that_dies_after_any_of_its_requests_is_followed_by_one_that_goes_on(three):
    old = workflow_items.get("w").board
    scenario.put_workflow("w", BY_TIME)
    assert to_the_end() > 5
    first, second, third = three
    assert shown(True) == [second, third, first]
    assert shown() == [second, third]
    assert workflow_items.get("w").ranking_version == 3
    assert left_of(workflow_items.get("w").board) == left_of(old) == 8
    assert to_the_end(LATER) > 5
    assert left_of(old) == 0
    assert shown(True) == [second, third, first]
    assert rebuilds.first("w", scenario.moment(10 * LATER)) is None


def test_two_that_rebuild_at_the_same_time_do_no_harm(three, monkeypatch):
    scenario.put_workflow("w", BY_TIME)
    real, other = run_items.rank, [lambda: go_on()]

    def overtaken(*arguments):
        if other:
            other.pop()()
        real(*arguments)

    monkeypatch.setattr(run_items, "rank", overtaken)
    go_on()
    first, second, third = three
    assert shown(True) == [second, third, first]
    assert shown() == [second, third]
    assert workflow_items.get("w").ranking_version == 3


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_newer_version_supersedes_the_board_that_is_being_filled(three, pages):
    first, second, third = three
    boards = {workflow_items.get("w").board}
    scenario.put_workflow("w", BY_TIME)
    boards.add(workflow_items.get("w").next_board)
    for _ in range(pages):
        go_on(seconds=0)
    scenario.put_workflow("w", BY_NOTE)
    assert shown(True) == [first, second, third]
    assert go_on()
    assert go_on(LATER)
    assert shown(True) == [second, first, third]
    board = workflow_items.get("w").board
    assert boards_of("a") == boards_of("b") == {board}
    assert [left_of(gone) for gone in boards] == [0, 0]
    assert left_of(board) == 8
    assert rebuilds.first("w", scenario.moment(10 * LATER)) is None
    assert set(run_items.get(first).standings) <= {board, *boards}


def test_a_version_that_is_published_again_begins_another_board(three):
    first, second, third = three
    boards = [workflow_items.get("w").board]
    for document in (BY_TIME, packages.RANKED):
        scenario.put_workflow("w", document)
        assert go_on()
        boards.append(workflow_items.get("w").board)
    assert shown(True) == [first, second, third]
    assert len(set(boards)) == 3
    assert go_on(LATER)
    assert shown(True) == [first, second, third]
    assert [left_of(board) for board in boards] == [0, 0, 8]


def test_a_workflow_that_ranks_nothing_any_more_shows_nothing_and_keeps_no_entries(three):
    board = workflow_items.get("w").board
    scenario.put_workflow("w", packages.ranked(results=None))
    assert leaderboard.show("w", None, False, 10, None) == {"schema": None, "ranking": [], "rankingVersion": 3}
    assert go_on()
    assert go_on(LATER)
    assert left_of(board) == 0
    assert boards_of("a") == set()


def test_a_workflow_that_begins_to_rank_ranks_what_it_has():
    scenario.put_workflow("w", packages.ranked(results=None))
    scenario.put_groups("w", "a", "b")
    first, second = succeed("a", 1, score=0.5), succeed("b", 2, score=0.6)
    assert workflow_items.get("w").ranking_version == 0
    scenario.put_workflow()
    assert shown(True) == []
    assert go_on()
    assert shown(True) == [second, first]
    assert workflow_items.get("w").ranking_version == 1


def test_a_group_that_is_deleted_on_the_way_is_left_out(three, monkeypatch):
    scenario.put_workflow("w", BY_TIME)
    first, second, third = three
    real, other = rebuilds.join, [lambda: (scenario.delete_run(second), group_items.delete(group_items.get("b")))]

    def overtaken(item, group):
        if group == "b" and other:
            other.pop()()
        real(item, group)

    monkeypatch.setattr(rebuilds, "join", overtaken)
    assert go_on()
    assert shown(True) == [third, first]


def test_the_new_ranking_is_post_processed(invoke):
    scenario.put_workflow("w", packages.ranked(postproc=packages.POST_PROCESSING))
    scenario.put_groups("w", "a")
    succeed("a", 1, score=0.5)
    scenario.put_workflow("w", {**BY_TIME, "postproc": packages.POST_PROCESSING})
    assert workflow_items.get("w").active_run is None
    assert invoke("rebuild_ranking", {"workflow": "w"}) == {"done": True}
    run = run_items.get(workflow_items.get("w").active_run)
    assert (run.state, run.ranking_version) == (runs.State.PENDING, 2)


def test_the_reconciler_goes_on_only_with_what_nobody_is_at_work_on(three):
    scenario.put_workflow("w", BY_TIME)
    begun = scenario.START + timedelta(seconds=10)
    assert reconcile.all_due(begun) == {"rebuilds": 1}
    go_on(at=10, seconds=0)
    assert "rebuilds" not in reconcile.all_due(begun + timedelta(minutes=10))
    assert reconcile.all_due(begun + timedelta(minutes=16))["rebuilds"] == 1


def test_a_cursor_of_a_board_that_is_not_shown_any_more_is_refused(three, invoke):
    def page(**query):
        event = gateway.event("GET", "/workflows/{workflowId}/leaderboard", {"workflowId": "w"}, query, problem=None)
        return gateway.answer(invoke("get_leaderboard", event))

    cursor = page(limit="1").json["next"]
    assert page(limit="1", cursor=cursor).status == 200
    scenario.put_workflow("w", BY_TIME)
    go_on()
    refused = page(limit="1", cursor=cursor)
    assert (refused.status, refused.json["code"]) == (400, "OUTDATED_CURSOR")


def test_a_run_says_which_of_its_columns_was_not_a_number_after_its_results_are_read_anew(three):
    schema = [{"name": "note", "label": "Note", "dtype": "float"}]
    scenario.put_workflow("w", packages.ranked(results={"file": "results/score.json", "schema": schema}))
    go_on()
    standing = run_items.get(three[0]).standings[workflow_items.get("w").board]
    assert standing.code == "NOT_A_NUMBER"
    assert "'note'" in standing.detail

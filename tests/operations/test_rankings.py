"""Boards in the table, against what follows from the runs that there are."""

import random

import pytest

from flowserverless.domain import errors, runs
from flowserverless.store import boards, group_items, run_items, workflow_items
from support import dynamodb_requests, packages, ranking_model, scenario

pytestmark = pytest.mark.usefixtures("table")

SCORES = (0.5, 0.9, 0.9, float("inf"), float("nan"))


def finished(run, group, at, **values):
    return ranking_model.Finished(run, group, scenario.moment(at), scenario.outcome(**values))


def version():
    return int(workflow_items.get("w").ranking_version)


def test_whatever_happens_the_board_is_what_follows_from_the_runs():
    scenario.put_workflow()
    scenario.put_groups("w", "a", "b", "c")
    chance = random.Random(4)
    present, changes = [], 0
    for at in range(26):
        before = [one.run for one in ranking_model.best(present)]
        if present and chance.random() < 0.3:
            gone = present.pop(chance.randrange(len(present)))
            changed = scenario.delete_run(gone.run, at)
        else:
            group = chance.choice("abc")
            run = scenario.put_run("w", group)
            values = {"score": chance.choice(SCORES), "seconds": chance.choice((None, 1, 2))}
            if chance.random() < 0.2:
                values = {"failing": "MISSING_COLUMN"}
            changed = scenario.end_run(run, at=at // 2, **values).ranking_changed
            present.append(finished(run, group, at // 2, **values))
        assert changed == ([one.run for one in ranking_model.best(present)] != before)
        changes += changed
        assert version() == changes
    assert changes > 5
    ranking_model.check("w", present)


def test_the_best_run_of_a_group_leaves_its_place_to_the_next_best():
    scenario.put_workflow()
    scenario.put_groups("w", "a", "b")
    first, second, third = (scenario.put_run("w", "a") for _ in range(3))
    scenario.end_run(second, score=0.5)
    scenario.end_run(first, score=0.9)
    scenario.end_run(third, score=0.7)
    other = scenario.put_run("w", "b")
    scenario.end_run(other, score=0.6)
    board = workflow_items.get("w").board
    assert ranking_model.listed("w", board, "BEST") == [first, other]
    assert scenario.delete_run(first)
    assert ranking_model.listed("w", board, "BEST") == [third, other]
    assert ranking_model.stored_statuses([second, third], board) == {
        second: ("superseded", third),
        third: ("ranked", None),
    }


def test_a_deleted_run_that_was_not_its_groups_best_changes_nothing():
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    first, second = scenario.put_run("w", "a"), scenario.put_run("w", "a")
    scenario.end_run(first, score=0.9)
    scenario.end_run(second, score=0.5)
    before = version()
    assert not scenario.delete_run(second)
    assert version() == before
    with pytest.raises(errors.NotFound):
        scenario.delete_run(second)


def test_a_group_without_ranked_runs_is_not_among_the_best():
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    run = scenario.put_run("w", "a")
    scenario.end_run(run, score=0.9)
    assert scenario.delete_run(run)
    board = workflow_items.get("w").board
    assert ranking_model.listed("w", board, "BEST") == ranking_model.listed("w", board, "ALL") == []
    assert group_items.get("a").bests == {board: None}


def test_of_two_that_end_a_run_the_second_changes_nothing():
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    run = scenario.put_run("w", "a")
    assert scenario.end_run(run, score=0.5).won
    again = scenario.end_run(run, score=0.9)
    assert not again.won
    assert not again.ranking_changed
    ranking_model.check("w", [finished(run, "a", 60, score=0.5)])


def test_runs_that_fail_or_are_canceled_are_not_ranked():
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    run = scenario.put_run("w", "a")

    def fail(current):
        return runs.end(current, runs.State.ERROR, scenario.moment(60), runs.Reason("STEP_FAILED", "no"))

    ended = run_items.finish(run, "w", fail, measured)
    assert ended.run.standings == {}
    assert version() == 0
    assert group_items.get("a").active_runs == 0


def interrupted(answer, by):
    """`answer`, but the first time it is called, somebody else does something before it returns."""
    left = [by]

    def call(*arguments):
        answered = answer(*arguments)
        if left:
            left.pop()()
        return answered

    return call


def measured(board):
    return packages.SCHEMA, (0.5, None, None)


@pytest.mark.parametrize("theirs", [0.3, 0.9])
def test_a_run_that_is_ranked_while_another_of_its_group_is_loses_nothing(theirs):
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    ours, other = scenario.put_run("w", "a"), scenario.put_run("w", "a")
    measure = interrupted(measured, by=lambda: scenario.end_run(other, at=61, score=theirs))
    assert scenario.end_run(ours, measure=measure).ranking_changed == (theirs < 0.5)
    ranking_model.check("w", [finished(ours, "a", 60, score=0.5), finished(other, "a", 61, score=theirs)])
    assert version() == (2 if theirs < 0.5 else 1)


def test_a_run_that_is_deleted_while_its_successor_is_deleted_names_the_next(monkeypatch):
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    first, second, third = (scenario.put_run("w", "a") for _ in range(3))
    for run, score in ((first, 0.9), (second, 0.8), (third, 0.7)):
        scenario.end_run(run, score=score)
    look_up = interrupted(boards.successors, by=lambda: scenario.delete_run(second))
    monkeypatch.setattr(boards, "successors", look_up)
    assert scenario.delete_run(first)
    ranking_model.check("w", [finished(third, "a", 60, score=0.7)])


def test_a_run_that_ends_while_another_version_is_published_is_on_the_board_that_is_shown():
    scenario.put_workflow()
    scenario.put_groups("w", "a")
    run = scenario.put_run("w", "a")
    unranked = packages.ranked(results=None)
    measure = interrupted(measured, by=lambda: scenario.put_workflow("w", unranked))
    assert not scenario.end_run(run, measure=measure).ranking_changed
    assert workflow_items.get("w").board is None


def test_pages_of_a_board_follow_each_other():
    scenario.put_workflow()
    scenario.put_groups("w", "a", "b", "c")
    for number, group in enumerate("abcab"):
        scenario.end_run(scenario.put_run("w", group), at=number, score=float(number % 3))
    board = workflow_items.get("w").board
    for part in ("ALL", "BEST"):
        expected, got, after, more = ranking_model.listed("w", board, part), [], None, True
        while more:
            entries, more = boards.page("w", board, part, 2, after)
            got += [entry.run for entry in entries]
            after = entries[-1].key
        assert got == expected


@pytest.fixture
def standing():
    """A contest of two groups in which somebody leads already, as it is met by every operation that is counted."""
    scenario.put_workflow()
    scenario.put_groups("w", "a", "b")
    for group, score in (("a", 0.8), ("a", 0.6), ("b", 0.7)):
        scenario.end_run(scenario.put_run("w", group), score=score)
    return scenario.put_run("w", "a")


def test_a_run_that_improves_its_group_costs_one_read_and_one_write(standing):
    with dynamodb_requests.to_dynamodb() as made:
        scenario.end_run(standing, score=0.9)
    # The run; its group; the workflow; the lists of all, of the group and of the best, and the best before.
    assert made == ["BatchGetItem", "TransactWriteItems of 7"]


def test_a_run_that_does_not_improve_its_group_costs_one_read_and_one_write(standing):
    with dynamodb_requests.to_dynamodb() as made:
        scenario.end_run(standing, score=0.7)
    assert made == ["BatchGetItem", "TransactWriteItems of 4"]


def test_deleting_a_groups_best_costs_three_reads_and_one_write(standing):
    scenario.end_run(standing, score=0.9)
    with dynamodb_requests.to_dynamodb() as made:
        scenario.delete_run(standing)
    assert made == ["BatchGetItem", "GetItem", "Query", "TransactWriteItems of 8"]

"""Boards in the table, against what follows from the runs that there are."""

import random

import pytest

from flowserverless.domain import errors, runs
from flowserverless.store import boards, group_items, run_items, workflow_items
from support import contest, requests_made

pytestmark = pytest.mark.usefixtures("table")

SCORES = (0.5, 0.9, 0.9, float("inf"), float("nan"))


def finished(run, group, at, **values):
    return contest.Finished(run, group, contest.moment(at), contest.outcome(**values))


def version():
    return int(workflow_items.get("w").ranking_version)


def test_whatever_happens_the_board_is_what_follows_from_the_runs():
    contest.publish()
    contest.join("w", "a", "b", "c")
    chance = random.Random(4)
    present, changes = [], 0
    for at in range(26):
        before = [one.run for one in contest.best(present)]
        if present and chance.random() < 0.3:
            gone = present.pop(chance.randrange(len(present)))
            changed = contest.remove(gone.run, at)
        else:
            group = chance.choice("abc")
            run = contest.begin("w", group)
            values = {"score": chance.choice(SCORES), "seconds": chance.choice((None, 1, 2))}
            if chance.random() < 0.2:
                values = {"failing": "MISSING_COLUMN"}
            changed = contest.end(run, at=at // 2, **values).ranking_changed
            present.append(finished(run, group, at // 2, **values))
        assert changed == ([one.run for one in contest.best(present)] != before)
        changes += changed
        assert version() == changes
    assert changes > 5
    contest.check("w", present)


def test_the_best_run_of_a_group_leaves_its_place_to_the_next_best():
    contest.publish()
    contest.join("w", "a", "b")
    first, second, third = (contest.begin("w", "a") for _ in range(3))
    contest.end(second, score=0.5)
    contest.end(first, score=0.9)
    contest.end(third, score=0.7)
    other = contest.begin("w", "b")
    contest.end(other, score=0.6)
    board = workflow_items.get("w").board
    assert contest.listed("w", board, "BEST") == [first, other]
    assert contest.remove(first)
    assert contest.listed("w", board, "BEST") == [third, other]
    assert contest.stored_statuses([second, third], board) == {
        second: ("superseded", third),
        third: ("ranked", None),
    }


def test_a_deleted_run_that_was_not_its_groups_best_changes_nothing():
    contest.publish()
    contest.join("w", "a")
    first, second = contest.begin("w", "a"), contest.begin("w", "a")
    contest.end(first, score=0.9)
    contest.end(second, score=0.5)
    before = version()
    assert not contest.remove(second)
    assert version() == before
    with pytest.raises(errors.NotFound):
        contest.remove(second)


def test_a_group_without_ranked_runs_is_not_among_the_best():
    contest.publish()
    contest.join("w", "a")
    run = contest.begin("w", "a")
    contest.end(run, score=0.9)
    assert contest.remove(run)
    board = workflow_items.get("w").board
    assert contest.listed("w", board, "BEST") == contest.listed("w", board, "ALL") == []
    assert group_items.get("a").bests == {board: None}


def test_of_two_that_end_a_run_the_second_changes_nothing():
    contest.publish()
    contest.join("w", "a")
    run = contest.begin("w", "a")
    assert contest.end(run, score=0.5).won
    again = contest.end(run, score=0.9)
    assert not again.won
    assert not again.ranking_changed
    contest.check("w", [finished(run, "a", 60, score=0.5)])


def test_runs_that_fail_or_are_canceled_are_not_ranked():
    contest.publish()
    contest.join("w", "a")
    run = contest.begin("w", "a")

    def fail(current):
        return runs.end(current, runs.State.ERROR, contest.moment(60), runs.Reason("STEP_FAILED", "no"))

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
    return contest.SCHEMA, (0.5, None, None)


@pytest.mark.parametrize("theirs", [0.3, 0.9])
def test_a_run_that_is_ranked_while_another_of_its_group_is_loses_nothing(theirs):
    contest.publish()
    contest.join("w", "a")
    ours, other = contest.begin("w", "a"), contest.begin("w", "a")
    measure = interrupted(measured, by=lambda: contest.end(other, at=61, score=theirs))
    assert contest.end(ours, measure=measure).ranking_changed == (theirs < 0.5)
    contest.check("w", [finished(ours, "a", 60, score=0.5), finished(other, "a", 61, score=theirs)])
    assert version() == (2 if theirs < 0.5 else 1)


def test_a_run_that_is_deleted_while_its_successor_is_deleted_names_the_next(monkeypatch):
    contest.publish()
    contest.join("w", "a")
    first, second, third = (contest.begin("w", "a") for _ in range(3))
    for run, score in ((first, 0.9), (second, 0.8), (third, 0.7)):
        contest.end(run, score=score)
    look_up = interrupted(boards.successors, by=lambda: contest.remove(second))
    monkeypatch.setattr(boards, "successors", look_up)
    assert contest.remove(first)
    contest.check("w", [finished(third, "a", 60, score=0.7)])


def test_a_run_that_ends_while_another_version_is_published_is_on_the_board_that_is_shown():
    contest.publish()
    contest.join("w", "a")
    run = contest.begin("w", "a")
    unranked = contest.template(results=None)
    measure = interrupted(measured, by=lambda: contest.publish("w", unranked))
    assert not contest.end(run, measure=measure).ranking_changed
    assert workflow_items.get("w").board is None


def test_pages_of_a_board_follow_each_other():
    contest.publish()
    contest.join("w", "a", "b", "c")
    for number, group in enumerate("abcab"):
        contest.end(contest.begin("w", group), at=number, score=float(number % 3))
    board = workflow_items.get("w").board
    for part in ("ALL", "BEST"):
        expected, got, after, more = contest.listed("w", board, part), [], None, True
        while more:
            entries, more = boards.page("w", board, part, 2, after)
            got += [entry.run for entry in entries]
            after = entries[-1].key
        assert got == expected


@pytest.fixture
def standing():
    """A contest of two groups in which somebody leads already, as it is met by every operation that is counted."""
    contest.publish()
    contest.join("w", "a", "b")
    for group, score in (("a", 0.8), ("a", 0.6), ("b", 0.7)):
        contest.end(contest.begin("w", group), score=score)
    return contest.begin("w", "a")


def test_a_run_that_improves_its_group_costs_one_read_and_one_write(standing):
    with requests_made.to_dynamodb() as made:
        contest.end(standing, score=0.9)
    # The run; its group; the workflow; the lists of all, of the group and of the best, and the best before.
    assert made == ["BatchGetItem", "TransactWriteItems of 7"]


def test_a_run_that_does_not_improve_its_group_costs_one_read_and_one_write(standing):
    with requests_made.to_dynamodb() as made:
        contest.end(standing, score=0.7)
    assert made == ["BatchGetItem", "TransactWriteItems of 4"]


def test_deleting_a_groups_best_costs_three_reads_and_one_write(standing):
    contest.end(standing, score=0.9)
    with requests_made.to_dynamodb() as made:
        contest.remove(standing)
    assert made == ["BatchGetItem", "GetItem", "Query", "TransactWriteItems of 8"]

"""What a step leaves beyond its outputs: nothing of the run's results that another step is to write."""

import pytest

from flowserverless.domain import plans, step_outputs
from flowserverless.domain.templates import arguments, templates
from flowserverless.packages import collisions

SCORE = "results/score.json"


def template(*outputs, kept=(SCORE,)):
    """A checked template with a step for each list of outputs (None: no list)."""
    action = {"environment": "python:3", "commands": ["true"]}
    steps = [
        {"name": f"step {index}", "action": action, **({} if one is None else {"files": {"outputs": list(one)}})}
        for index, one in enumerate(outputs)
    ]
    results = {"file": SCORE, "schema": [{"name": "score", "label": "Score", "dtype": "float"}]}
    document = {"workflow": {"steps": steps}, "outputs": [{"source": one} for one in kept], "results": results}
    return templates.parse(document)


def fences_of(checked):
    """What each step of a run may write."""
    return [step.fence for step in plans.plan(checked, arguments.bind((), [], {}))]


@pytest.mark.parametrize("named", [[SCORE], ["results/"], ["results"], ["results/*.json"], ["**/score.json"]])
def test_a_step_does_not_leave_results_that_a_later_one_names(named):
    solve, score = fences_of(template(["predictions.csv"], named))
    assert solve == ("predictions.csv",)
    assert score == tuple(named)


def test_a_step_does_not_leave_results_where_the_last_one_leaves_everything():
    assert fences_of(template(["predictions.csv"], None)) == [("predictions.csv",), None]


def test_results_that_no_step_names_are_left_by_the_last_one_only():
    assert fences_of(template(["predictions.csv"], ["log.txt"])) == [
        ("predictions.csv",),
        ("log.txt", SCORE, SCORE),
    ]
    assert fences_of(template(["log.txt"])) == [("log.txt", SCORE, SCORE)]


@pytest.mark.parametrize("kept", ["plots/", "plots/*.png", "plots/**"])
def test_who_names_a_part_of_a_folder_is_who_leaves_it(kept):
    solve, draw, last = fences_of(template(["predictions.csv"], ["plots/a.png", SCORE], ["log.txt"], kept=[kept]))
    assert (solve, draw, last) == (("predictions.csv",), ("plots/a.png", SCORE), ("log.txt",))


def test_an_organiser_is_warned_of_results_that_no_step_names():
    (at, text), *rest = [(one.place, one.message) for one in collisions.doubts(template(["a"], ["b"]), [])]
    assert (at, text) == (
        "outputs[0].source",
        "is named by no step's outputs: only what the last step, 'step 1', writes is kept",
    )
    assert [at for at, _ in rest] == ["results.file"]
    for fine in (template(["a"], [SCORE]), template(["a"], None), template(None, ["b"]), template(["a"])):
        assert list(collisions.doubts(fine, [])) == []


def test_a_step_without_outputs_has_the_folders_of_results_ready():
    checked = template(None, None)
    assert step_outputs.beyond(checked.steps, 0, checked.results_kept) == (SCORE, SCORE)

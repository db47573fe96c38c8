"""Places of uploads among the files of a package: what lets callers in is refused, what may surprise is said."""

import pytest

from flowserverless.domain.templates import templates
from flowserverless.packages import collisions

PACKAGE = ("code/score.py", "data/train.csv", "truth/part1.csv", "Makefile")


def template(*parameters, steps=None, **elements):
    step = {"name": "s", "action": {"environment": "python:3.13", "commands": ["${python} code/score.py"]}}
    return templates.parse({"workflow": {"steps": steps or [step]}, "parameters": [*parameters], **elements})


def file(name="f", **declaration):
    return {"name": name, "dtype": "file", **declaration}


def many(name="l", **declaration):
    return {"name": name, "dtype": "list", "para": file("each", **declaration)}


def step(*commands, **files):
    return {"name": "s", "files": files, "action": {"environment": "python:3.13", "commands": [*commands] or ["true"]}}


def faults_of(*parameters, package=PACKAGE, **elements):
    return {fault.place: fault.message for fault in collisions.check(template(*parameters, **elements), package)}


def doubts_of(*parameters, package=PACKAGE, **elements):
    return {fault.place: fault.message for fault in collisions.doubts(template(*parameters, **elements), package)}


def test_uploads_in_places_of_their_own_are_neither_refused_nor_doubted():
    declared = (file("a", target="in/a.csv"), many("b", target="entries/"), file("c", target="in/c.csv"))
    assert faults_of(*declared) == doubts_of(*declared) == {}


@pytest.mark.parametrize("target", ["truth/mine.csv", "truth/", "data/", "data/more/../x.csv"])
def test_a_list_shares_no_folder_with_the_package(target):
    [(place, message)] = faults_of(many(target=target)).items()
    assert place == "parameters[0].para.target"
    assert "puts a list into" in message
    record = {"name": "l", "dtype": "list", "para": {"name": "r", "dtype": "record", "fields": [file(target=target)]}}
    assert [*faults_of(record)] == ["parameters[0].para.fields[0].target"]


def test_a_list_needs_a_folder():
    assert "is in no folder" in faults_of(many(target="first.csv"))["parameters[0].para.target"]


def test_a_list_takes_nobody_elses_place():
    found = faults_of(many(target="in/"), file("a", target="in/a.csv"))
    assert "where 'a' has its place" in found["parameters[0].para.target"]
    assert faults_of(many("x", target="in/"), many("y", target="in/deeper/"))
    assert faults_of(many("x", target="in/"), many("y", target="in/")) == {}


@pytest.mark.parametrize("written", ["in/", "in/ok.txt", "in", "in/sub/*.txt", "**/ok.txt", "in/*"])
def test_a_list_shares_no_folder_with_what_steps_write(written):
    steps = [step(outputs=[written])]
    assert "is written" in faults_of(many(target="in/"), steps=steps)["parameters[0].para.target"]
    assert faults_of(many(target="in/"), outputs=[{"source": written}])
    assert faults_of(many(target="entries/"), steps=[step(outputs=["out/", "*.txt"])]) == {}


def test_a_list_shares_no_folder_with_the_result_file():
    results = {"file": "in/r.json", "schema": [{"name": "x", "label": "x", "dtype": "int"}]}
    assert faults_of(many(target="in/"), results=results)


@pytest.mark.parametrize("target", ["data", "data/train.csv/x", "code/score.py/y"])
def test_a_place_that_can_never_be_had_is_refused(target):
    for declared in (file(target=target), many(target=target), file(defaultValue=target)):
        assert [message.endswith("is in the way of other files") for message in faults_of(declared).values()] == [True]


def test_an_empty_folder_of_the_package_is_in_the_way_too():
    for target, wrong in (("in", 1), ("in/a", 1), ("in/a/b", 0), ("out", 0)):
        found = [*collisions.check(template(file(target=target)), PACKAGE, ["in/a"])]
        assert len(found) == wrong
    assert [*collisions.check(template(many(target="in/a/")), PACKAGE, ["in/a"])] == []


def test_where_uploads_have_no_target_nothing_of_the_organiser_is():
    free = file()
    assert [*faults_of(free, package=("uploads/json.py",))] == [""]
    assert [*faults_of(free, package=("uploads",))] == [""]
    assert [*faults_of(free, file("a", target="uploads/f/a.csv"))] == ["parameters[1].target"]
    assert [*faults_of(free, steps=[step(outputs=["uploads/x"])])] == ["workflow.steps[0].files.outputs[0]"]
    assert [*faults_of(free, outputs=[{"source": "uploads/"}])] == ["outputs[0].source"]
    assert [*faults_of(free, steps=[{"name": "s", "action": {"func": "uploads.f.x"}}])]
    for command in ("${python} uploads/f/x.py", "sh ./uploads/x.sh", 'python "uploads/f/a.py" -x'):
        assert [*faults_of(free, steps=[step(command)])] == ["workflow.steps[0].action.commands[0]"]
    for command in ('${python} code/score.py "${f}"', "cat uploads/f/*.csv", "python my/uploads/x.py"):
        assert faults_of(free, steps=[step(command)]) == {}


def test_without_such_uploads_their_folder_is_an_ordinary_one():
    assert faults_of(file(target="in/x"), package=("uploads/x.py",), outputs=[{"source": "uploads/"}]) == {}


def test_two_files_at_one_place_are_refused_if_a_run_needs_both():
    assert "a run needs both" in faults_of(file("a", target="in/x"), file("b", target="in/x"))["parameters[1].target"]
    assert faults_of(file("a", target="in/x"), file("b", target="in/x/y"))
    optional = (file("a", target="in/x"), file("b", target="in/X", isRequired=False))
    assert faults_of(*optional) == {}
    assert "only one of them" in doubts_of(*optional)["parameters[1].target"]


@pytest.mark.parametrize(
    ("parameter", "place", "doubt"),
    [
        (file(), "parameters[0].name", "has no target: it lands below 'uploads/f/'"),
        (file(target="code/mine.csv"), "parameters[0].target", "lies beside programs of the package, such as 'code/sc"),
        (file(target="code/json/__init__.py"), "parameters[0].target", "lies beside programs"),
        (file(target="mine.csv"), "parameters[0].target", "such as 'Makefile'"),
        (many(target="code/json/"), "parameters[0].para.target", "lies beside programs"),
        (file(target="data/train.csv"), "parameters[0].target", "replaces the package's own 'data/train.csv'"),
        (file(target="data/Train.csv"), "parameters[0].target", "only in how letters are written"),
        (file(defaultValue="data/no.csv"), "parameters[0].defaultValue", "'data/no.csv' is not in the package"),
        ({"name": "r", "dtype": "record", "fields": [file()]}, "parameters[0].fields[0].name", "has no target"),
    ],
)
def test_what_may_not_have_been_meant_is_said_where_it_is_declared(parameter, place, doubt):
    found = doubts_of(parameter)
    assert [*found] == [place]
    assert doubt in found[place]


@pytest.mark.parametrize("glob", ["truth/*.csv", "*/*.csv", "truth/**"])
def test_an_upload_that_is_read_together_with_the_solution_is_said(glob):
    for steps in ([step(f"cat {glob}")], [step(f'x --truth="{glob}"')], [step(inputs=["code/", glob])]):
        assert f"by '{glob}'" in doubts_of(file(target="truth/mine.csv"), steps=steps)["parameters[0].target"]
        assert doubts_of(file(target="mine/y.txt"), steps=steps) == {}


def test_a_default_that_uploads_replace_is_meant():
    assert doubts_of(file(defaultValue="data/train.csv")) == {}
    assert doubts_of(file(defaultValue="data/train.csv", target="data/train.csv")) == {}

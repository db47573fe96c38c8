"""Steps with `inputs` are given what they name, or the template is refused when it is published."""

import pytest

from flowserverless.domain import plans
from flowserverless.domain.templates import arguments, executors, templates
from flowserverless.packages import missing_inputs

PACKAGE = (
    "code/count.py",
    "code/lib/__init__.py",
    "code/run.sh",
    "data/labels.csv",
    "books/draw.ipynb",
    "notes.txt",
    "code/__init__.py",
)
NAMES = {"name": "names", "dtype": "file", "target": "in/names.txt"}


def container(*commands, name="s", **files):
    return {"name": name, "files": files, "action": {"environment": "python:3.13", "commands": [*commands]}}


def found(*declared, parameters=(), variables=None, package=PACKAGE, **elements):
    workflow = {"steps": [*declared], "parameters": variables or {}}
    template = {"workflow": workflow, "parameters": [*parameters], **elements}
    return missing_inputs.check(templates.parse(template, executors.ANYTHING), package)


def wrong(*declared, **more):
    return {fault.place: fault.message for fault in found(*declared, **more).wrong}


def doubtful(*declared, **more):
    return {fault.place: fault.message for fault in found(*declared, **more).doubtful}


PROGRAMS = [
    ("${python} code/count.py", "code/count.py"),
    ('cd code && ${python} "count.py"', "code/count.py"),
    ("python -m code.count", "code/count.py"),
    ("python -m code.lib", "code/lib/__init__.py"),
    ("code/run.sh 1 2", "code/run.sh"),
    ("true; bash code/run.sh", "code/run.sh"),
    (". ./code/run.sh", "code/run.sh"),
    ("X=1 exec sh code/run.sh", "code/run.sh"),
]
LEFT_OUT = [
    ("cat data/labels.csv", "data/labels.csv"),
    ("python3 -u -W ignore ./code//count.py --x", "code/count.py"),
    ("sort <data/labels.csv >out.csv", "data/labels.csv"),
    ("sort < 'data/labels.csv' | uniq", "data/labels.csv"),
    ("${python} -c 'pass' --labels=data/labels.csv", "data/labels.csv"),
    ("cat data/*.csv", "data/*.csv"),
    ("ls data/", "data/"),
    ("cp notes.txt out/notes.txt", "notes.txt"),
    ("mkdir -p out \\\n && head notes.txt", "notes.txt"),
    ("# a comment\ncat notes.txt", "notes.txt"),
    ('echo "$(date)"; cat notes.txt', "notes.txt"),
]


@pytest.mark.parametrize(("command", "name"), LEFT_OUT)
def test_a_file_that_a_command_names_and_inputs_leave_out_is_refused(command, name):
    [(place, message)] = wrong(container(command, inputs=["books/"])).items()
    assert place == "workflow.steps[0].action.commands[0]"
    assert f"names {name!r}" in message
    assert "is not among the step's `files.inputs`" in message
    assert wrong(container("true", command, inputs=["books/"])).keys() == {"workflow.steps[0].action.commands[1]"}


@pytest.mark.parametrize(("command", "name"), PROGRAMS)
def test_a_program_that_inputs_leave_out_enters_all_the_same_with_a_warning(command, name):
    step = container(command, inputs=["books/"])
    assert wrong(step) == {}
    [(place, message)] = doubtful(step).items()
    assert place == "workflow.steps[0].action.commands[0]"
    assert (
        f"names {name!r}, which is in the package and is not among the step's `files.inputs`; the step is given"
        in message
    )
    template = templates.parse({"workflow": {"steps": [step]}})
    [planned] = plans.plan(template, arguments.Bound({}))
    assert name in planned.inputs
    covered = templates.parse({"workflow": {"steps": [container(command, inputs=["code/"])]}})
    assert plans.plan(covered, arguments.Bound({}))[0].inputs == ("code/",)


def test_no_argument_of_a_caller_is_a_program_that_enters():
    step = container('${python} "${script}"', "sh ${script}", "python -m ${script}", inputs=["code/"])
    told = {"parameters": {"script": "$[[script]]"}, "steps": [step]}
    template = templates.parse({"workflow": told, "parameters": [{"name": "script", "dtype": "string"}]})
    [planned] = plans.plan(template, arguments.Bound({"script": "truth/labels.py"}))
    assert planned.inputs == ("code/",)


@pytest.mark.parametrize(("command", "name"), LEFT_OUT + PROGRAMS)
def test_with_it_among_the_inputs_or_without_inputs_all_is_well(command, name):
    for files in ({}, {"inputs": ["code/", "data", "notes.txt"]}, {"inputs": ["**"]}):
        nothing = found(container(command, **files))
        assert nothing == missing_inputs.Needs((), ())


@pytest.mark.parametrize(
    "command",
    [
        "echo notes.txt data/labels.csv",
        "touch notes.txt; cat notes.txt",
        "mkdir -p data && cat data/labels.csv",
        "date > notes.txt && cat notes.txt",
        "cp books/draw.ipynb notes.txt",
        "cp -r books data; cat data/labels.csv",
        "${python} -c pass --output=data/labels.csv",
        "${python} -c pass -o data/labels.csv",
        "${python} -c pass notes.txts /code/count.py ../code/count.py $HOME/notes.txt",
        "test -f notes.txt || [ -f notes.txt ]",
        "cat <<END\ncode/count.py\nnotes.txt\nEND",
        "awk '{print code/count.py}' books/draw.ipynb",
        "# cat notes.txt",
        "cd /opt && cat notes.txt",
        "cd $HOME && cat notes.txt",
        "echo 'unclosed",
        "python -m json.tool books/draw.ipynb",
    ],
)
def test_what_a_command_only_writes_or_mentions_is_no_need(command):
    assert found(container(command, inputs=["books/"])) == missing_inputs.Needs((), ())


def test_what_a_step_says_it_writes_it_need_not_be_given():
    assert found(container("${python} -c pass notes.txt", inputs=["books/"], outputs=["notes.txt"])).wrong == ()


def test_where_an_earlier_command_may_have_made_the_file_it_is_a_warning():
    step = container("${python} -c pass; cat notes.txt", inputs=["books/"])
    assert wrong(step) == {}
    assert "names 'notes.txt'" in doubtful(step)["workflow.steps[0].action.commands[0]"]


def test_what_an_earlier_step_writes_has_to_be_among_the_inputs_too():
    first = container("true", name="first", outputs=["results/a.txt"])
    [message] = wrong(first, container("cat results/a.txt", inputs=["code/"])).values()
    assert "which is written by the step 'first' and is not among" in message
    assert found(first, container("cat results/a.txt", inputs=["results/"])) == missing_inputs.Needs((), ())


@pytest.mark.parametrize("word", ['"${names}"', "--names=${names}", "$names", "in/names.txt"])
def test_the_file_of_an_argument_has_to_be_among_the_inputs(word):
    told = {"parameters": [NAMES], "variables": {"names": "$[[names]]"}}
    step = f"${{python}} code/count.py {word}"
    [message] = wrong(container(step, inputs=["code/"]), **told).values()
    assert "names 'in/names.txt', which is the place of 'names'" in message
    for inputs in (["code/", "$[[names]]"], ["code/", "in/"]):
        assert found(container(step, inputs=inputs), **told) == missing_inputs.Needs((), ())


def test_uploads_without_a_target_have_to_be_among_the_inputs():
    told = {"parameters": [{"name": "names", "dtype": "file"}], "variables": {"names": "$[[names]]"}}
    command = 'cat "${names}"'
    assert wrong(container(command, inputs=["code/"]), **told)
    for inputs in (["$[[names]]"], ["uploads/"]):
        assert found(container(command, inputs=inputs), **told) == missing_inputs.Needs((), ())


def test_a_constant_is_a_word_like_others():
    told = {"variables": {"labels": "data/labels.csv", "flag": "--fast"}}
    assert wrong(container('cat "${labels}" ${flag}', inputs=["code/"]), **told)


def test_the_module_of_a_function_enters_all_the_same_with_a_warning():
    def step(func, **files):
        return {"name": "s", "files": files, "action": {"func": func}}

    for func in ("code.count.lines", "code.lib.x"):
        assert [*doubtful(step(func, inputs=["data/"]))] == ["workflow.steps[0].action.func"]
    [planned] = plans.plan(
        templates.parse({"workflow": {"steps": [step("code.count.x", inputs=[])]}}), arguments.Bound({})
    )
    assert "code/count.py" in planned.inputs
    assert found(step("code.count.lines", inputs=["code/"])) == missing_inputs.Needs((), ())
    assert found(step("json.dumps", inputs=["code/"])) == missing_inputs.Needs((), ())


def test_a_function_is_not_in_a_folder_that_pythons_own_module_hides():
    def told(func, *package):
        template = {"workflow": {"steps": [{"name": "s", "action": {"func": func}}]}}
        return missing_inputs.check(templates.parse(template, executors.ANYTHING), package)

    hidden = told("code.count.lines", "code/count.py")
    assert [fault.place for fault in hidden.wrong] == ["workflow.steps[0].action.func"]
    assert "Python's own module `code`" in hidden.wrong[0].message
    nothing = missing_inputs.Needs((), ())
    assert told("code.count.lines", "code/count.py", "code/__init__.py") == nothing
    assert told("tools.count.lines", "tools/count.py") == nothing
    assert told("code.lines", "code.py", "code/x.py") == nothing
    # A folder of that name with other things in it is no mistake.
    assert told("json.dumps", "json/a.json", "json/make.py") == nothing


def test_a_notebook_is_there_and_is_given_its_files():
    def step(notebook, **files):
        return {"name": "s", "files": files, "action": {"notebook": notebook, "params": ["names"]}}

    told = {"parameters": [NAMES], "variables": {"names": "$[[names]]"}}
    assert found(step("books/draw.ipynb"), **told) == missing_inputs.Needs((), ())
    assert [*wrong(step("books/gone.ipynb"), **told)] == ["workflow.steps[0].action.notebook"]
    assert [*wrong(step("books/draw.ipynb", inputs=["code/"]), **told)] == ["workflow.steps[0].action.params[0]"]


@pytest.mark.parametrize("pattern", ["cod/", "code/*.r", "data/label.csv", "results/", "in/", "notes.txt/x"])
def test_inputs_that_match_nothing_are_refused(pattern):
    [(place, message)] = wrong(container("true", inputs=["code/", pattern])).items()
    assert place == "workflow.steps[0].files.inputs[1]"
    assert "matches no file of the package, of the caller or of an earlier step" in message


@pytest.mark.parametrize(
    "pattern", ["results/", "results/a.txt", "results/*.txt", "results", "res*/a.txt", "out/", "**"]
)
def test_inputs_that_an_earlier_step_writes_match(pattern):
    first = container("true", name="first", outputs=["results/a.txt", "out/*/x"])
    assert found(first, container("true", inputs=[pattern])) == missing_inputs.Needs((), ())
    assert wrong(container("true", inputs=[pattern], name="b"), {**first, "name": "c"}) != {} or pattern == "**"


def test_where_an_earlier_step_writes_anything_inputs_that_match_nothing_are_a_warning():
    told = container("true", name="first"), container("true", inputs=["results/"])
    assert wrong(*told) == {}
    assert [*doubtful(*told)] == ["workflow.steps[1].files.inputs[0]"]


def test_inputs_of_the_workflow_are_for_people_and_only_warned_of():
    files = {"inputs": ["code/", "$[[names]]", "gone/"], "outputs": []}
    template = {"workflow": {"steps": [container("true")], "files": files}, "parameters": [NAMES]}
    noted = missing_inputs.check(templates.parse(template), PACKAGE)
    assert ([*noted.wrong], [fault.place for fault in noted.doubtful]) == ([], ["workflow.files.inputs[2]"])


def test_a_program_that_nothing_puts_there_is_a_warning():
    assert "which nothing puts there" in "".join(doubtful(container("${python} code/cuont.py")).values())
    for command in ("cd code && python cuont.py", "./code/rnu.sh", "sh run.sh"):
        assert doubtful(container(command))
    for command in ("make.py", "python x.py", "python /opt/x.py"):
        first = container("true", name="first")
        assert found(first, container(command)) == missing_inputs.Needs((), ())
    assert found(container("tar xf x.tar", "python x.py")) == missing_inputs.Needs((), ())
    assert found(container("touch x.py; python x.py")) == missing_inputs.Needs((), ())
    mine = {**NAMES, "target": "mine/x.py"}
    assert found(container("python mine/x.py"), parameters=[mine]) == missing_inputs.Needs((), ())


def test_post_processing_is_given_the_ranked_runs():
    results = {"file": "r.json", "schema": [{"name": "x", "label": "x", "dtype": "int"}]}

    def after(command, inputs):
        workflow = {"steps": [container(command, inputs=inputs)], "parameters": {"runs": "$[[runs]]"}}
        more = {"results": results, "postproc": {"workflow": workflow}}
        return {fault.place: fault.message for fault in found(container("true"), **more).wrong}

    assert after('${python} code/count.py "${runs}"', ["code/", "runs/"]) == {}
    assert after('${python} code/count.py "${runs}"', ["code/", "$[[runs]]"]) == {}
    assert [*after("cat notes.txt", ["runs/"])] == ["postproc.workflow.steps[0].action.commands[0]"]
    assert [*after('${python} code/count.py "${runs}"', ["code/"])]
    assert [*after("true", ["rnus/"])] == ["postproc.workflow.steps[0].files.inputs[0]"]


@pytest.mark.long
def test_a_thousand_words_are_looked_at_in_no_time():
    text = " ".join(f"data/{n}/x*.csv" for n in range(5000))
    package = [f"data/{n}/y.csv" for n in range(2000)]
    assert found(container(f"cat {text}", inputs=["code/", "data/"]), package=["code/a", *package]).wrong == ()

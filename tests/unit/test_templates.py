"""Templates: a good one is read back unchanged, and a bad one is told all its faults, each with its place."""

import copy
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowserverless.domain import validation
from flowserverless.domain.templates import executors, references, steps, templates
from support import strategies

EVERYTHING = executors.ANYTHING
DOCUMENT = {
    "workflow": {
        "files": {"inputs": ["code/", "$[[names]]"], "outputs": ["results/greetings.txt"]},
        "parameters": {
            "inputfile": "$[[names]]",
            "outputfile": "results/greetings.txt",
            "sleeptime": "$[[ sleeptime ]]",
            "flag": "$[[verbose ? --verbose : --quiet]]",
            "constants": {"a": [1, 2.5, True, None]},
        },
        "steps": [
            {
                "name": "say hello",
                "files": {"inputs": ["code/./hello.py", "$[[names]]"], "outputs": ["results/"]},
                "action": {
                    "environment": "python:3.7",
                    "commands": ['${python} code/hello.py "${inputfile}"', "awk '{print $1}' $HOME/x"],
                },
            },
            {
                "name": "count",
                "action": {
                    "func": "code.count.count",
                    "arg": "total",
                    "variables": [{"arg": "seconds", "var": "sleeptime"}],
                },
            },
            {
                "name": "draw",
                "action": {
                    "notebook": "notebooks/draw.ipynb",
                    "params": ["total", "text"],
                    "variables": [{"arg": "text", "var": "flag"}],
                    "requirements": ["pandas"],
                },
            },
            {
                "name": "train",
                "action": {"environment": "rocker/r-ver:4", "commands": ["Rscript x.R"]},
                "resources": {"vcpu": 4, "memory": 16384, "gpu": 1, "timeoutSeconds": 86400},
            },
        ],
    },
    "parameters": [
        {"name": "names", "dtype": "file", "target": "data/names.txt"},
        {"name": "sleeptime", "dtype": "int", "range": "[0,60]", "defaultValue": 1, "group": "g"},
        {"name": "verbose", "dtype": "bool", "isRequired": False},
    ],
    "parameterGroups": [{"name": "g", "title": "General", "index": 0}],
    "outputs": [
        {"source": "results/greetings.txt", "key": "greetings", "title": "T", "format": {"type": "plaintext"}},
        {"source": "results/plots/", "caption": "C", "widget": {"x": [1]}},
    ],
    "results": {
        "file": "results/analytics.json",
        "schema": [
            {"name": "score", "label": "Score", "dtype": "float"},
            {"name": "count", "label": "Count", "dtype": "int", "path": "a/b", "required": False},
        ],
        "orderBy": [{"name": "score", "sortDesc": True}],
    },
    "postproc": {
        "workflow": {
            "parameters": {"runs": "$[[runs]]"},
            "steps": [
                {
                    "name": "plot",
                    "files": {"inputs": ["code/", "$[[runs]]"]},
                    "action": {"environment": "python:3.13", "commands": ["${python} code/plot.py ${runs}"]},
                }
            ],
        },
        "inputs": {"files": ["results/analytics.json", "results/plots/a.svg", "greetings"], "runs": "runs/"},
        "outputs": [{"source": "results/plot.svg"}],
    },
    "flowserverless": {"external": True},
    "modules": ["unknown elements at the top are ignored"],
}
SMALLEST = {"workflow": {"steps": [{"name": "s", "action": {"environment": "python:3", "commands": ["true"]}}]}}


def found_in(document, available=EVERYTHING):
    with pytest.raises(validation.Faults) as refused:
        templates.parse(document, available)
    return {fault.place: fault.message for fault in refused.value.faults}


def changed(**changes):
    """The good document with elements at places such as `workflow.steps[0].name` replaced."""
    document = copy.deepcopy(DOCUMENT)
    for place, value in changes.items():
        *above, last = [int(part) if part.isdigit() else part for part in place.split("__")]
        parent = document
        for part in above:
            parent = parent[part]
        parent[last] = value
    return document


def test_a_template_is_read():
    template = templates.parse(DOCUMENT, EVERYTHING)
    assert [step.kind for step in template.steps] == ["container", "code", "notebook", "container"]
    assert template.steps[0].inputs == ("code/hello.py", "$[[names]]")
    assert template.steps[0].outputs == ("results/",)
    assert template.steps[0].commands[1] == "awk '{print $1}' $HOME/x"
    assert template.steps[1].inputs is None
    assert template.steps[2].notebook_output == "notebooks/draw.out.ipynb"
    assert template.steps[3].resources == steps.Resources(4, 16384, 1, 86400)
    assert [executors.of(step) for step in template.steps] == ["lambda", "lambda", "lambda", "batch"]
    assert [parameter.name for parameter in template.parameters] == ["names", "sleeptime", "verbose"]
    assert template.kept == ("results/greetings.txt", "results/plots/")
    assert template.outputs[1].key == "results/plots/"
    assert template.results.file == "results/analytics.json"
    assert template.postproc.inputs_runs == "runs/"
    assert template.postproc.outputs[0].key == "results/plot.svg"
    assert template.external


def test_the_smallest_template():
    template = templates.parse(SMALLEST)
    assert template.kept == ()
    assert not template.external
    assert template.postproc is None
    assert template.results is None


def test_outputs_are_those_of_the_workflow_if_the_template_lists_none():
    document = copy.deepcopy(SMALLEST)
    document["workflow"]["files"] = {"outputs": ["./a.json", "b/"]}
    assert templates.parse(document).kept == ("a.json", "b/")


@pytest.mark.parametrize("document", [DOCUMENT, SMALLEST])
def test_documents_are_read_back_unchanged(document):
    template = templates.parse(document, EVERYTHING)
    assert templates.parse(template.document, EVERYTHING) == template
    assert templates.parse(json.loads(json.dumps(template.document, allow_nan=False)), EVERYTHING) == template


def read_back_or_refused(document, available=EVERYTHING):
    """Whether a template is accepted; either way it must be so without any other error."""
    try:
        template = templates.parse(document, available)
    except validation.Faults as refused:
        found = refused.faults
    else:
        assert templates.parse(template.document, available) == template
        assert json.dumps(template.document, allow_nan=False).encode()
        return True
    assert found
    assert all(fault.place and fault.message for fault in found)
    assert "".join(fault.place + fault.message for fault in found).encode()
    return False


@given(strategies.VALUES | strategies.mutations(DOCUMENT), st.sets(st.sampled_from(sorted(EVERYTHING))))
def test_any_document_is_read_back_or_refused(document, available):
    assert read_back_or_refused(document, available) in (True, False)


def test_with_anything_exchanged_a_template_is_read_back_or_refused():
    accepted = [read_back_or_refused(document) for document in strategies.exchanges(DOCUMENT)]
    assert accepted.count(False) > 500
    assert accepted.count(True) > 100


@pytest.mark.parametrize("wrap", ["list", "object"])
def test_deep_documents_are_refused(wrap):
    deep = strategies.nested(100_000, wrap)
    assert found_in(deep) == {"document": "is nested too deeply or too large"}
    assert found_in(changed(workflow__parameters__constants=deep))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "is nan, which JSON cannot say"),
        (math.inf, "is inf, which JSON cannot say"),
        (2**70, "is an integer of more than 64 bits"),
        ("a\0", "contains a NUL character"),
        ("\udfff", "is not valid Unicode"),
        (b"x", "is a bytes, which JSON cannot say"),
        ({3: 1}, "has an element that is named 3, not by a text"),
        ({"\0": 1}, "has an element that contains a NUL character"),
    ],
)
def test_what_is_not_json_is_refused(value, message):
    assert found_in(changed(workflow__parameters__constants=[value])) == {"workflow.parameters.constants[0]": message}


def test_large_documents_are_refused():
    too_large = {"document": "is nested too deeply or too large"}
    assert found_in(changed(workflow__parameters__constants=["x" * 1000] * 201)) == too_large
    assert found_in(changed(workflow__parameters__constants=[0] * 20_001)) == too_large


CONTAINER = {"environment": "python:3.11", "commands": ["true"]}


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"workflow": None}, "workflow", "is missing"),
        ({"workflow": []}, "workflow", "is a list, must be an object"),
        ({"workflow__version": "0.3.0"}, "workflow.version", "is not one of files, parameters, steps"),
        ({"workflow__steps": {}}, "workflow.steps", "must be a list"),
        ({"workflow__files": []}, "workflow.files", "must be an object"),
        ({"workflow__files__inputs": "code"}, "workflow.files.inputs", "must be a list"),
        ({"workflow__files__outputs__0": "../x"}, "workflow.files.outputs[0]", "inside the run directory"),
        ({"workflow__files__outputs__0": 3}, "workflow.files.outputs[0]", "must be a text"),
        ({"workflow__files__inputs__1": "/etc"}, "workflow.files.inputs[1]", "relative"),
        ({"workflow__files__inputs__1": "x $[[names"}, "workflow.files.inputs[1]", "not one whole reference"),
        ({"workflow__files__inputs__1": "$[[verbose]]"}, "workflow.files.inputs[1]", "file parameter"),
        ({"workflow__parameters": []}, "workflow.parameters", "must be an object"),
        ({"workflow__parameters__flag": "$[[nope]]"}, "workflow.parameters.flag", "'nope', which is not declared"),
        ({"workflow__parameters__flag": "$[[nope ? a : b]]"}, "workflow.parameters.flag", "'nope', which is"),
        ({"workflow__parameters__flag": "x $[[names]]"}, "workflow.parameters.flag", "not one whole reference"),
        ({"workflow__parameters__flag": "$[[names"}, "workflow.parameters.flag", "not one whole reference"),
        ({"workflow__parameters__flag": "$[[ ]]"}, "workflow.parameters.flag", "not one whole reference"),
        ({"workflow__parameters__constants": ["$[[names]]"]}, "workflow.parameters.constants[0]", "none is replaced"),
        ({"workflow__parameters__constants": {"a": "$[[names]]"}}, "workflow.parameters.constants.a", "none is"),
        ({"workflow__parameters__a-b": 1}, "workflow.parameters.a-b", "cannot be the name of a variable"),
        ({"workflow__parameters__1a": 1}, "workflow.parameters.1a", "cannot be the name of a variable"),
        ({"workflow__parameters__é": 1}, "workflow.parameters.é", "cannot be the name of a variable"),
        ({"workflow__parameters__constants": "x" * 120_001}, "workflow.parameters.constants", "120000 bytes"),
        ({"workflow__steps__0": 5}, "workflow.steps[0]", "is 5, must be an object"),
        ({"workflow__steps__0__name": None}, "workflow.steps[0].name", "is missing"),
        ({"workflow__steps__0__name": " "}, "workflow.steps[0].name", "must not be empty"),
        ({"workflow__steps__0__name": "a\nb"}, "workflow.steps[0].name", "cannot be printed"),
        ({"workflow__steps__1__name": "say hello"}, "workflow.steps[1].name", "name of an earlier step"),
        ({"workflow__steps__0__file": {}}, "workflow.steps[0].file", "is not one of name, files, action"),
        ({"workflow__steps__0__files": ["x"]}, "workflow.steps[0].files", "must be an object"),
        ({"workflow__steps__0__files__in": []}, "workflow.steps[0].files.in", "is not one of inputs, outputs"),
        ({"workflow__steps__0__files__outputs": ["a/../../b"]}, "workflow.steps[0].files.outputs[0]", "inside"),
        ({"workflow__steps__0__files__outputs": ["$[[names]]"]}, "workflow.steps[0].files.outputs[0]", "none is"),
        ({"workflow__steps__0__files__inputs": [".flowserverless/"]}, "workflow.steps[0].files.inputs[0]", "reserved"),
        ({"workflow__steps__0__files__inputs": ["$[[sleeptime]]"]}, "workflow.steps[0].files.inputs[0]", "file param"),
        ({"workflow__steps__0__files__inputs": ["$[[names ? a : b]]"]}, "workflow.steps[0].files.inputs[0]", "file"),
        ({"workflow__steps__0__action": None}, "workflow.steps[0].action", "is missing"),
        ({"workflow__steps__0__action": []}, "workflow.steps[0].action", "must be an object"),
        ({"workflow__steps__0__action": "$[[names]]"}, "workflow.steps[0].action", "not supported"),
        ({"workflow__steps__0__action": {}}, "workflow.steps[0].action", "no known kind of step"),
        ({"workflow__steps__0__action": {"shell": "x"}}, "workflow.steps[0].action", "no known kind of step"),
        ({"workflow__steps__0__action__shell": "x"}, "workflow.steps[0].action.shell", "is not one of environment"),
        ({"workflow__steps__0__action__environment": None}, "workflow.steps[0].action.environment", "is missing"),
        ({"workflow__steps__0__action__environment": "a b"}, "workflow.steps[0].action.environment", "an image"),
        ({"workflow__steps__0__action__commands": None}, "workflow.steps[0].action.commands", "at least one"),
        ({"workflow__steps__0__action__commands": []}, "workflow.steps[0].action.commands", "at least one"),
        ({"workflow__steps__0__action__commands": "true"}, "workflow.steps[0].action.commands", "must be a list"),
        ({"workflow__steps__0__action__commands__1": 5}, "workflow.steps[0].action.commands[1]", "must be a text"),
        (
            {"workflow__steps__0__action__commands__1": "cat $[[names]]"},
            "workflow.steps[0].action.commands[1]",
            "none is replaced",
        ),
        (
            {"workflow__steps__0__action__environment": "$[[names]]"},
            "workflow.steps[0].action.environment",
            "none is replaced",
        ),
        ({"workflow__steps__1__action__func": "count"}, "workflow.steps[1].action.func", "module.function"),
        ({"workflow__steps__1__action__func": "os.system('x')"}, "workflow.steps[1].action.func", "module.function"),
        ({"workflow__steps__1__action__arg": "a b"}, "workflow.steps[1].action.arg", "name of a variable"),
        ({"workflow__steps__1__action__variables": {}}, "workflow.steps[1].action.variables", "must be a list"),
        (
            {"workflow__steps__1__action__variables__0__var": "nope"},
            "workflow.steps[1].action.variables[0].var",
            "there is no variable 'nope'",
        ),
        (
            {"workflow__steps__1__action__variables__0__arg": "*"},
            "workflow.steps[1].action.variables[0].arg",
            "name of an argument",
        ),
        (
            {"workflow__steps__1__action__variables": [{"arg": "a", "var": "flag"}] * 2},
            "workflow.steps[1].action.variables[1].arg",
            "mapped already",
        ),
        ({"workflow__steps__1__action__variables": [{}]}, "workflow.steps[1].action.variables[0].var", "is missing"),
        ({"workflow__steps__1__resources": {}}, "workflow.steps[1].resources", "can only be asked for by"),
        ({"workflow__steps__2__action__notebook": "../x.ipynb"}, "workflow.steps[2].action.notebook", "inside"),
        ({"workflow__steps__2__action__notebook": None}, "workflow.steps[2].action.notebook", "is missing"),
        ({"workflow__steps__2__action__output": "/x"}, "workflow.steps[2].action.output", "relative"),
        ({"workflow__steps__2__action__params__0": "nope"}, "workflow.steps[2].action.params[0]", "no variable"),
        ({"workflow__steps__3__resources": 3}, "workflow.steps[3].resources", "must be an object"),
        ({"workflow__steps__3__resources__cpu": 1}, "workflow.steps[3].resources.cpu", "is not one of vcpu"),
        ({"workflow__steps__3__resources__vcpu": 3}, "workflow.steps[3].resources.vcpu", "must be one of 0.25"),
        ({"workflow__steps__3__resources__vcpu": True}, "workflow.steps[3].resources.vcpu", "must be one of 0.25"),
        ({"workflow__steps__3__resources__vcpu": [1]}, "workflow.steps[3].resources.vcpu", "must be one of 0.25"),
        ({"workflow__steps__3__resources__memory": 1}, "workflow.steps[3].resources.memory", "from 8192 to 30720"),
        ({"workflow__steps__3__resources__memory": 8193}, "workflow.steps[3].resources.memory", "multiple of 1024"),
        ({"workflow__steps__3__resources__gpu": -1}, "workflow.steps[3].resources.gpu", "is -1"),
        (
            {"workflow__steps__3__resources__timeoutSeconds": 14 * 86400 + 1},
            "workflow.steps[3].resources.timeoutSeconds",
            "must be from 60 to 1209600",
        ),
        ({"parameters__0__dtype": "actor"}, "parameters[0].dtype", "not supported"),
        ({"parameters": {}}, "parameters", "must be a list"),
        ({"parameterGroups": {}}, "parameterGroups", "must be a list"),
        ({"parameterGroups__0__index": None}, "parameterGroups[0].index", "is missing"),
        (
            {"parameterGroups": DOCUMENT["parameterGroups"] * 2},
            "parameterGroups[1].name",
            "name of an earlier group",
        ),
        ({"parameterGroups__0__title": 3}, "parameterGroups[0].title", "must be a text"),
        ({"outputs": "results"}, "outputs", "must be a list"),
        ({"outputs__0__source": "../x"}, "outputs[0].source", "inside the run directory"),
        ({"outputs__0__source": None}, "outputs[0].source", "is missing"),
        ({"outputs__1__key": "greetings"}, "outputs[1].key", "key of an earlier output"),
        ({"outputs__1__source": "greetings"}, "outputs[1].key", "key of an earlier output"),
        ({"outputs__1__key": "./greetings"}, "outputs[1].key", "key of an earlier output"),
        ({"outputs__0__key": "../../code/x"}, "outputs[0].key", "inside the run directory"),
        ({"outputs__0__key": ".."}, "outputs[0].key", "inside the run directory"),
        ({"outputs__0__key": "."}, "outputs[0].key", "inside the run directory"),
        ({"outputs__0__key": "/etc/x"}, "outputs[0].key", "relative"),
        ({"outputs__0__key": "a\\b"}, "outputs[0].key", "separated by '/'"),
        ({"outputs__0__key": "a\nb"}, "outputs[0].key", "no control characters"),
        ({"outputs__0__key": " "}, "outputs[0].key", "must not be empty"),
        ({"outputs__0__key": "a/"}, "outputs[0].key", "a directory, not a file"),
        ({"outputs__0__key": "-rf"}, "outputs[0].key", "an option"),
        ({"outputs__0__key": "a\u202eb"}, "outputs[0].key", "turn the direction"),
        ({"outputs__0__key": "manifest.json"}, "outputs[0].key", "list of files"),
        ({"postproc__outputs__0__key": "../x"}, "postproc.outputs[0].key", "inside the run directory"),
        ({"outputs__0__source": "$[[names]]"}, "outputs[0].source", "none is replaced"),
        ({"results__file": "$[[names]]"}, "results.file", "none is replaced"),
        ({"postproc__inputs__files__0": "$[[names]]"}, "postproc.inputs.files[0]", "is not an output"),
        ({"postproc__outputs__0__source": "$[[runs]]"}, "postproc.outputs[0].source", "none is replaced"),
        ({"outputs__0__id": "x"}, "outputs[0].id", "is not one of source"),
        ({"results__file": "../x.json"}, "results.file", "inside the run directory"),
        ({"results__orderBy__0__name": "nope"}, "results.orderBy[0].name", "no column 'nope'"),
        ({"results__schema__0__dtype": "decimal"}, "results.schema[0].dtype", "must be one of"),
        ({"postproc": []}, "postproc", "must be an object"),
        ({"postproc__workflow": None}, "postproc.workflow", "is missing"),
        ({"postproc__workflow__steps": []}, "postproc.workflow.steps", "there is nothing to run"),
        ({"postproc__workflow__parameters__x": "$[[names]]"}, "postproc.workflow.parameters.x", "'names', which"),
        ({"postproc__inputs": []}, "postproc.inputs", "must be an object"),
        ({"postproc__inputs__files__0": "../x"}, "postproc.inputs.files[0]", "inside the run directory"),
        ({"postproc__inputs__files__0": "other.json"}, "postproc.inputs.files[0]", "not an output of the workflow"),
        ({"postproc__outputs__0__source": "/x"}, "postproc.outputs[0].source", "relative"),
        ({"results": None}, "postproc", "there is no ranking"),
        ({"flowserverless": True}, "flowserverless", "must be an object"),
        ({"flowserverless__external": "yes"}, "flowserverless.external", "must be true or false"),
        ({"flowserverless__extern": True}, "flowserverless.extern", "is not one of external"),
    ],
)
def test_every_fault_has_its_place(changes, place, message):
    found = found_in(changed(**changes))
    assert message in found[place]


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "LANG",
        "IFS",
        "ENV",
        "BASH_ENV",
        "SHELL",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "AWS_ACCESS_KEY_ID",
        "LAMBDA_TASK_ROOT",
        "TMPDIR",
        "DYLD_INSERT_LIBRARIES",
        "SHELLOPTS",
        "PERL5LIB",
        "PERL5OPT",
        "RUBYOPT",
        "NODE_OPTIONS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "GIT_SSH_COMMAND",
        "PYSPARK_DRIVER_PYTHON",
        "SPARK_SUBMIT_OPTS",
        "GTK_MODULES",
        "GIO_EXTRA_MODULES",
        "QT_PLUGIN_PATH",
        "GDAL_DRIVER_PATH",
        "OCL_ICD_VENDORS",
        "VK_ICD_FILENAMES",
        "MAGICK_CODER_MODULE_PATH",
        "XLA_FLAGS",
        "TORCH_EXTENSIONS_DIR",
        "HF_HOME",
        "JUPYTER_PATH",
        "JUPYTER_CONFIG_DIR",
        "IPYTHONDIR",
        "MPLBACKEND",
        "R_PROFILE_USER",
        "JULIA_LOAD_PATH",
        "LUA_INIT_5_4",
        "MAKEFLAGS",
        "http_proxy",
        "HTTPS_PROXY",
        "LESSOPEN",
        "PIP_INDEX_URL",
        "python",
        "_",
        "LC_ALL",
        "PS4",
    ],
)
def test_names_that_change_how_programs_run_are_reserved(name):
    assert "reserved" in found_in(_with_variable(name))[f"workflow.parameters.{name}"]
    found = found_in(changed(workflow__steps__1__action__arg=name))
    assert "reserved" in found["workflow.steps[1].action.arg"]


def _with_variable(name):
    document = copy.deepcopy(SMALLEST)
    document["workflow"]["parameters"] = {name: 1}
    return document


@pytest.mark.parametrize(
    "name", ["path", "NODES", "LAMBDAS", "language", "LD", "home_dir", "x1", "_x", "GITTER", "R_SQUARED", "GOAL"]
)
def test_other_names_are_free(name):
    assert name in templates.parse(_with_variable(name)).context


def test_all_faults_are_found_at_once():
    document = changed(
        workflow__parameters__flag="$[[nope]]",
        workflow__steps__0__action__commands=[],
        workflow__steps__3__name=None,
        parameters__1__range="[5,1]",
        outputs__0__source="/x",
        results__schema=[],
        postproc__outputs="x",
    )
    assert set(found_in(document)) == {
        "workflow.parameters.flag",
        "workflow.steps[0].action.commands",
        "workflow.steps[3].name",
        "parameters[1].range",
        "outputs[0].source",
        "results.schema",
        "postproc.outputs",
    }


def test_a_wrong_declaration_is_not_also_an_undeclared_parameter():
    assert set(found_in(changed(parameters__0__dtype="no"))) == {"parameters[0].dtype"}


def test_more_than_a_hundred_steps_are_refused():
    many = [{"name": f"s{n}", "action": CONTAINER} for n in range(101)]
    assert "are more than 100" in found_in(changed(workflow__steps=many))["workflow.steps"]


def test_only_external_engines_can_do_without_steps():
    assert templates.parse(changed(workflow__steps=[]), EVERYTHING).steps == ()
    for extension in ({"external": False}, {}, None):
        found = found_in(changed(workflow__steps=[], flowserverless=extension))
        assert "there is nothing to run" in found["workflow.steps"]


@pytest.mark.parametrize(
    ("action", "resources", "needed", "message"),
    [
        (CONTAINER, None, {"lambda"}, "cannot be executed"),
        ({"func": "a.b"}, None, {"lambda"}, "cannot be executed"),
        ({"notebook": "a.ipynb"}, None, {"lambda", "notebook"}, "papermill"),
        ({"environment": "python:2.7", "commands": ["x"]}, None, {"batch"}, "AWS Batch for the image 'python:2.7'"),
        ({"environment": "r-base", "commands": ["x"]}, None, {"batch"}, "AWS Batch for the image 'r-base'"),
        (CONTAINER, {"memory": 2048}, {"batch"}, "AWS Batch for its resources"),
        (CONTAINER, {"gpu": 1}, {"batch", "gpu"}, "a GPU"),
    ],
)
def test_what_an_installation_cannot_execute_is_refused(action, resources, needed, message):
    step = {"name": "s", "action": action} | ({} if resources is None else {"resources": resources})
    document = {"workflow": {"steps": [step]}}
    assert templates.parse(document, needed)
    for missing in needed:
        found = found_in(document, EVERYTHING - {missing})
        assert list(found) == ["workflow.steps[0].action"]
    assert message in found_in(document, needed - {sorted(needed)[-1]})["workflow.steps[0].action"]


def test_which_images_are_the_lambda_is_configuration():
    document = {"workflow": {"steps": [{"name": "s", "action": CONTAINER | {"environment": "python:2.7"}}]}}
    assert templates.parse(document, {"lambda"}, ["python:2.*"]).steps
    with pytest.raises(validation.Faults):
        templates.parse(SMALLEST, {"lambda"}, ["python:2.*"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$[[name]]", references.Reference("name")),
        (" $[[ a name ]] ", references.Reference("a name")),
        ("$[[v ? --a : --b]]", references.Reference("v", "--a", "--b")),
        ("$[[v ? http://x : ]]", references.Reference("v", "http", "//x :")),
        ("$[[v ? yes]]", references.Reference("v", "yes", None)),
        ("$[[v?:]]", references.Reference("v", "", "")),
        ("no reference", None),
        ("$x ${y} [[z]]", None),
    ],
)
def test_references(text, expected):
    assert references.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["$[[", "$[[]]", "$[[a]", "a $[[a]]", "$[[a]] b", "$[[a]]$[[b]]", "$[[$[[a]]]]", "$[[?a:b]]"]
)
def test_broken_references(text):
    with pytest.raises(ValueError, match="not one whole reference"):
        references.parse(text)


@given(st.text("$[]?: ab", max_size=30))
def test_any_text_is_a_reference_or_not(text):
    try:
        found = references.parse(text)
    except ValueError:
        assert "$[[" in text
        return
    assert (found is None) == ("$[[" not in text)
    assert found is None or [found.name] == list(references.names(text))


def test_no_text_takes_long():
    assert list(references.names("$[[" * 60_000)) == []
    assert found_in(changed(workflow__parameters__flag="$[[" + " " * 100_000))


def test_a_member_of_the_own_key_that_stands_at_the_top_is_told_where_it_belongs():
    warnings = {
        each.place: each.message for each in templates.parse({"external": True} | DOCUMENT, EVERYTHING).warnings
    }
    assert "stands under `flowserverless`" in warnings["external"]
    assert "is ignored" in warnings["modules"]


def test_an_unknown_member_under_the_own_key_is_a_fault():
    with pytest.raises(validation.Faults) as found:
        templates.parse(DOCUMENT | {"flowserverless": {"deadline": "2026-12-01"}}, EVERYTHING)
    assert [fault.place for fault in found.value.faults] == ["flowserverless.deadline"]


@pytest.mark.parametrize("value", ["TextView", 1, False, ["a"], {"a": [None]}, ""])
def test_widget_and_format_are_any_value_as_in_flowserv(value):
    template = templates.parse(changed(outputs__0__widget=value, outputs__0__format=value), EVERYTHING)
    assert (template.outputs[0].widget, template.outputs[0].format) == (value, value)
    assert templates.parse(template.document, EVERYTHING) == template


def test_a_command_that_flowserv_understands_otherwise_is_warned_of_at_its_place():
    count = {"name": "count", "action": {"func": "code.count", "arg": "total"}}
    container = {"environment": "python:3", "commands": ["true", "echo '${total}' '${a}' '${b}' $$"]}
    document = {"workflow": {"parameters": {"a": 1}, "steps": [count, {"name": "show", "action": container}]}}
    warnings = templates.parse(document, EVERYTHING).warnings
    assert {each.place for each in warnings} == {"workflow.steps[1].action.commands[1]"}
    assert [each.message.split()[0] for each in warnings] == ["`$$`", "`${total}`", "`${a}`"]

"""What one step hands to another beside files: what functions return, under the name that their step declares."""

import json
import os
import shlex
import subprocess

import pytest

from flowserverless.domain import errors, plans, variable_names
from flowserverless.domain.templates import arguments, executors, templates
from flowserverless.store import run_items, table
from runner import container
from support import runner

NAMES = {
    "declared by an earlier step": "lines",
    "a variable of the workflow": "labels",
    "declared by nobody": "planted",
    "reserved for Python": "PYTHONPATH",
    "reserved for the loader": "LD_PRELOAD",
    "the interpreter": "python",
    "where programs are": "PATH",
}
# Every place where a step of some kind ever kept something for a later one, or might be thought to.
PLACES = (
    ".flowserverless/context.json",
    "context.json",
    "returned/000.json",
    "$HOME/.function-result.json",
    "$HOME/order.json",
)
OWN = {"labels": "data/labels.csv"}


@pytest.fixture
def store():
    with runner.Store() as store:
        yield store


def planting(name):
    """A shell command that writes a variable to all those places."""
    text = shlex.quote(json.dumps({name: "taken over", "result": "taken over"}))
    return "; ".join(f'mkdir -p "$(dirname "{place}")"; echo {text} > "{place}"' for place in PLACES)


def in_lambda(store, *commands, **members):
    return store.run(*commands, **members)


def in_batch(store, *commands, **members):
    """As a job does: fetch, the user's container, deliver."""
    with store.room() as room:
        url = store.stage(*commands, outcome=store.form("runs/r/outcomes/000.json"), **members)
        if container.main(["fetch", url, room]) == 0:
            subprocess.run(["/bin/sh", f"{room}/step.sh"], env={"PATH": os.environ["PATH"]}, check=False)
        container.main(["deliver", url, room])
    return json.loads(store.objects["runs/r/outcomes/000.json"])


def as_function(store, *commands, **members):
    """A function that is given nothing by the organiser, and executes the commands."""
    source = f"import os\ndef fn():\n    assert not os.system({'; '.join(commands)!r})\n    return 'honest'\n"
    inputs = {**members.pop("inputs", {}), "m.py": source.encode()}
    return store.run(
        kind="code", code={"func": "m.fn", "arg": None, "variables": {}}, inputs=inputs, always=["seen"], **members
    )


KINDS = [in_lambda, in_batch, as_function]


def delivered(store):
    """What a step left in the run, which is what later ones are given."""
    return {path: content for path, content in store.outputs().items() if path != "m.py"}


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("consume", [in_lambda, in_batch])
@pytest.mark.parametrize("produce", KINDS)
def test_no_step_gives_a_later_one_a_variable_by_any_file(store, produce, consume, name):
    assert produce(store, planting(name), variables=OWN)["reason"] is None
    posted = set(store.posts) - {f"runs/r/{one}" for one in ("logs/000.txt", "outcomes/000.json", "trees/000.json")}
    assert posted == {"runs/r/files/context.json", "runs/r/files/returned/000.json"}, "files like any other"
    result = consume(store, "env > seen", variables=OWN, inputs=delivered(store), earlier=store.earlier(lines=3))
    assert result["reason"] is None
    seen = store.outputs()["seen"].decode().splitlines()
    assert "taken over" not in str(seen)
    assert {"lines=3", "labels=data/labels.csv"} <= set(seen)


@pytest.mark.long
@pytest.mark.parametrize("consume", [in_lambda, in_batch])
def test_commands_get_what_earlier_functions_returned_as_variables(store, consume):
    returned = {
        "number": 4,
        "status": "a b",
        "flag": True,
        "list": [1, "x"],
        "none": None,
        "huge": "x" * 200_000,
        "zero": "a\0b",
        "half": "\ud800",
        "quotes": 'it\'s "$(touch INJECTED)" `x`\nline',
    }
    result = consume(
        store,
        'printf "%s|" "$number" "$status" "$flag" "$list" "$none" "$own" "${huge-unset}" "${zero-unset}" > out',
        'printf "%s|" "${half-unset}" "$quotes" "$number" "$status" >> out',
        earlier=store.earlier(**returned),
        variables={"own": "o", "status": "of the workflow", "huge": "of the workflow"},
    )
    assert result["reason"] is None
    said = f'4|a b|True|[1, "x"]|null|o|unset|unset|unset|{returned["quotes"]}|4|a b|'
    assert store.outputs() == {"out": said.encode()}


@pytest.mark.long
def test_functions_get_what_earlier_functions_returned_and_hand_on_only_their_own(store):
    result = store.run(
        kind="code",
        code={"func": "m.fn", "arg": "c", "variables": {"text": "long"}},
        inputs={"m.py": b"def fn(a, b, text):\n    return a + b + len(text)\n"},
        earlier=store.earlier(a=10, long="x" * 1_000_000, more={}),
        values={"a": 1, "b": 100},
        result=store.form(runner.RETURNED),
    )
    assert result["reason"] is None
    assert json.loads(store.objects[runner.RETURNED]) == {"c": 1_000_110}


@pytest.mark.long
@pytest.mark.parametrize("name", [*list(NAMES.values())[3:], "not a name", "", "BASH_ENV", "x" * 200])
@pytest.mark.parametrize("consume", KINDS)
def test_a_reserved_name_is_refused_by_the_step_that_is_given_it(store, consume, name):
    earlier = [{"name": name, "url": f"{store.url}/earlier/x"}]
    store.objects["earlier/x"] = json.dumps({name: "taken over"}).encode()
    result = consume(store, "env > seen", earlier=earlier)
    assert result["reason"], result
    assert store.outputs() == {}


@pytest.mark.long
@pytest.mark.parametrize("name", list(NAMES.values())[3:])
@pytest.mark.parametrize("consume", [in_lambda, in_batch])
def test_a_reserved_name_is_no_variable_of_the_workflow_either(store, consume, name):
    consume(store, "env > seen; touch out", variables={name: "taken over"})
    assert b"taken over" not in store.outputs()["seen"]


@pytest.mark.long
@pytest.mark.parametrize(
    "content",
    [b"", b"[1]", b"{", b"\xff", b"{}", b"3", b'{"a": 1, "b": 2}', b'{"b": 1}', b"[" * 100_000, b"1" * 6_000_000],
)
@pytest.mark.parametrize("consume", KINDS)
def test_a_result_that_is_not_what_was_handed_on_is_refused(store, consume, content):
    earlier = store.earlier(a=1)
    store.objects["earlier/a"] = content
    result = consume(store, "echo > out", earlier=earlier)
    assert result["reason"]
    assert store.outputs() == {}


@pytest.mark.long
def test_a_result_that_is_gone_is_named(store):
    earlier = store.earlier(a=1)
    del store.objects["earlier/a"]
    detail = store.run("true", earlier=earlier)["reason"]["detail"]
    assert "the result 'a' of an earlier step could not be fetched: 404" in detail


@pytest.mark.long
def test_nothing_that_a_job_can_change_in_its_directory_is_more_than_its_own_outcome(store):
    """Whatever is beside the run directory is the step's own word as well: it can fail or succeed by it, no more."""
    notes = "log step.sh before.json started result.json home"
    spoil = f"cd ..; rm -rf *; mkdir run status; for note in {notes}; do mkfifo $note; done"
    result = in_batch(store, spoil, "true", inputs={"in": b"x"}, outputs=["out"])
    assert (result["exitCode"], result["reason"]["code"]) == (None, "STEP_FAILED")
    assert set(store.posts) <= {f"runs/r/{one}" for one in ("logs/000.txt", "outcomes/000.json", "trees/000.json")}


# What the trusted side decides.

STEPS = [
    {"name": "count", "action": {"func": "m.count", "arg": "lines"}},
    {"name": "silent", "action": {"func": "m.silent"}},
    {"name": "shell", "action": {"environment": "python:3.13", "commands": ["true"]}},
    {"name": "again", "action": {"func": "m.count", "arg": "lines"}},
    {"name": "image", "action": {"environment": "r-base:4.4", "commands": ["true"]}},
    {"name": "book", "action": {"notebook": "b.ipynb", "params": ["lines"]}},
    {"name": "last", "action": {"func": "m.last", "arg": "end"}},
]
TEMPLATE = {"workflow": {"parameters": {"lines": 0}, "steps": STEPS}}
HANDED = [[], [("lines", 0)], [("lines", 0)], [("lines", 0)], [("lines", 3)], [("lines", 3)], [("lines", 3)]]


@pytest.fixture
def world(world, monkeypatch):
    monkeypatch.setenv("BATCH", "true")
    monkeypatch.setenv("NOTEBOOKS", "true")
    monkeypatch.setenv("API_URL", "https://api.test/v1")
    monkeypatch.setattr("flowserverless.operations.batch_jobs._program", lambda: b"the program")
    world.publish(TEMPLATE)
    return world


def manifest(world, run, step):
    """What a step is told, whether it runs in the Lambda or as a job."""
    version = run_items.get(run).version
    event = {"run": run, "workflow": "bench", "version": version, "step": step, "outcome": None}
    answer = world.invoke("stage_step", event)
    if "job" in answer:
        job = answer["job"]["fetch"][3].rpartition("/")[2]
        world.call("get_job_manifest", "GET", "/runs/{runId}/jobs/{jobId}", {"runId": run, "jobId": job}, user=None)
    return json.loads(world.get(f"runs/{run}/manifests/{step:03d}.json"))


def test_each_step_is_handed_what_earlier_functions_declare_and_only_they_can_hand_on(world):
    run = world.start()["id"]
    world.write(run, {".flowserverless/context.json": b'{"lines": "taken over"}', "file": b"x"})
    for number in (1, 2, 9):
        world.put(f"runs/{run}/returned/{number:03d}.json", b'{"planted": 1}')
    for step, handed in enumerate(HANDED):
        found = manifest(world, run, step)
        named = [(each["name"], each["url"].partition("?")[0].rpartition("/")[2]) for each in found["earlier"]]
        assert named == [(name, f"{number:03d}.json") for name, number in handed]
        assert not [each for each in found["inputs"] if each["path"].startswith(".flowserverless")]
        form = found.get("result")
        assert bool(form) == bool(STEPS[step]["action"].get("arg"))
        if form:
            assert form["key"] == f"runs/{run}/returned/{step:03d}.json"
            assert "${filename}" not in form["key"]


def test_a_version_that_was_published_when_a_name_was_free_starts_no_run_and_says_so(world):
    published = table.get(table.template("bench"))
    steps = [{**step, "action": {**step["action"], "arg": "NODE_OPTIONS"}} for step in STEPS[:1]]
    published.template = {**published.template, "workflow": {"parameters": {}, "steps": steps}}
    published.save()
    place = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"}, 409)
    answer = world.call(*place, body={"arguments": []}).json
    assert answer["code"] == "WORKFLOW_OUTDATED"
    assert "workflow.steps[0].action.arg 'NODE_OPTIONS' is reserved" in answer["detail"]


def test_each_step_is_told_who_sets_its_limits(world):
    run = world.start(config={"timeoutSeconds": 100})["id"]
    told = {step: manifest(world, run, step)["setBy"] for step in (0, 4)}
    assert "StepMemory" in told[0]["memoryBytes"]
    assert "100 seconds that `timeoutSeconds` in the run's config gives" in told[0]["seconds"]
    assert "JobOutputBytes" in told[4]["outputBytes"]
    longer = world.start(config={"timeoutSeconds": 10_000})["id"]
    assert manifest(world, longer, 0)["setBy"]["seconds"] == "the installation's parameter StepSeconds sets this limit"


@pytest.mark.parametrize(
    "name", ["PATH", "LD_PRELOAD", "python", "JUPYTER_PATH", "NODE_OPTIONS", "DYLD_INSERT_LIBRARIES"]
)
def test_a_reserved_name_is_refused_when_a_run_is_planned(name):
    parsed = templates.parse(TEMPLATE, executors.ANYTHING)
    steps = tuple(templates.replace(step, arg=step.arg and name) for step in parsed.steps)
    nothing = arguments.bind((), [], {})
    with pytest.raises(errors.InvalidRequest, match="is reserved"):
        plans.plan(templates.replace(parsed, steps=steps), nothing)
    with pytest.raises(errors.InvalidRequest, match="is reserved"):
        plans.plan(templates.replace(parsed, context={name: "x"}), nothing)
    assert variable_names.is_reserved(name)

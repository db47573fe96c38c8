"""What a group's program tries to hand to the scoring step behind it on the deployed stack, and what functions do."""

import io
import json
import zipfile

import pytest

from local import stack
from support import http

SCORE = """\
import json, sys
labels, mine = (open(path).read().split() for path in sys.argv[1:3])
print("labels in", sys.argv[1])
right = sum(one == other for one, other in zip(labels, mine, strict=True))
json.dump({"score": right / len(labels), "bonus": int(sys.argv[4])}, open(sys.argv[3], "w"))
"""
SOLVE = {"files": {"inputs": ["data/test.csv", "submission/"], "outputs": ["predictions.csv"]}}
FENCED = {"files": {"inputs": ["code/", "data/", "predictions.csv"], "outputs": ["results/score.json"]}}
CALL = '${python} code/score.py "${labels}" predictions.csv results/score.json "${bonus}"'
TEMPLATE = {
    "parameters": [{"name": "code", "dtype": "file", "target": "submission/solve.py"}],
    "workflow": {
        "parameters": {"code": "$[[code]]", "labels": "data/labels.csv", "bonus": 0},
        "steps": [
            {"name": "give", "action": {"func": "give.bonus", "arg": "bonus"}, "files": {"inputs": ["give.py"]}},
            http.step("solve", '${python} "${code}" predictions.csv', **SOLVE),
            http.step("score", CALL, **FENCED),
        ],
    },
    "outputs": [{"source": "results/score.json"}],
    "results": {"file": "results/score.json", "schema": [{"name": "score", "label": "Score", "dtype": "float"}]},
}
FILES = {
    "code__score_dot_py": SCORE,
    "give_dot_py": "def bonus():\n    return 7\n",
    "data__labels_dot_csv": "1 0 1 0 1",
    "data__test_dot_csv": "a b c d e",
}
HONEST = "import sys\nopen(sys.argv[1], 'w').write('1 1 1 1 0')\n"
PLANT = """\
import json, os
home = os.environ["HOME"]
for place in (".flowserverless/context.json", "returned/000.json", f"{home}/.function-result.json"):
    os.makedirs(os.path.dirname(place), exist_ok=True)
    json.dump(%r, open(place, "w"))
"""
# A module that Python would import at its start, in the very file that the step may hand on.
HIJACK = """\
import json, os
os.makedirs("results", exist_ok=True)
json.dump({"score": 1e9, "bonus": 7}, open("results/score.json", "w"))
os._exit(0)
"""


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("sitecustomize.py", HIJACK)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def workflow(deployed: stack.Stack) -> str:
    """A benchmark whose groups submit code, fenced as docs/templates.md advises."""
    return http.publish(deployed, TEMPLATE, **FILES)


def submit(ada: http.Visitor, group: str, program: str) -> str:
    """The run of a group's program."""
    file = ada.upload(group, "solve.py", program.encode())
    return ada.start(group, code={"type": "$file", "value": {"fileId": file}})


@pytest.mark.parametrize(
    "planted", [{}, {"labels": "predictions.csv"}, {"bonus": 1000}, {"PATH": "."}, {"python": "/bin/true"}]
)
def test_a_groups_program_changes_no_variable_of_the_scoring_step(
    ada: http.Visitor, workflow: str, planted: dict[str, object]
) -> None:
    run = submit(ada, ada.group(workflow), HONEST + PLANT % planted)
    ended = ada.finished(run)
    assert ended["state"] == "SUCCESS", ended
    (file,) = ended["files"]
    found = json.loads(ada.follow(f"runs/{run}/downloads/files/{file['id']}").body)
    assert found == {"score": 0.4, "bonus": 7}
    assert ada.follow(f"runs/{run}/logs?step=2").body == b"labels in data/labels.csv\n"


def test_a_groups_program_executes_nothing_in_the_scoring_step(ada: http.Visitor, workflow: str) -> None:
    group = ada.group(workflow)
    hijack = f"import sys\nopen(sys.argv[1], 'wb').write({archive()!r})\n"
    ended = ada.finished(submit(ada, group, hijack + PLANT % {"PYTHONPATH": "predictions.csv"}))
    assert (ended["state"], ended["steps"][2]["state"]) == ("ERROR", "ERROR"), "its predictions are no numbers"
    assert "exited with code 1: UnicodeDecodeError" in ended["reason"]["detail"]
    assert "results/score.json" not in [file["name"] for file in ended["files"]]


def test_an_upload_that_was_replaced_since_is_not_executed(
    deployed: stack.Stack, ada: http.Visitor, workflow: str
) -> None:
    group = ada.group(workflow)
    file = ada.upload(group, "solve.py", HONEST.encode())
    changed = HONEST.replace("1 1 1 1 0", "1 0 1 0 1").encode()
    deployed.client("s3").put_object(Bucket=deployed.bucket, Key=f"uploads/{group}/{file}", Body=changed)
    ended = ada.finished(ada.start(group, code={"type": "$file", "value": {"fileId": file}}))
    assert (ended["state"], ended["reason"]["code"]) == ("ERROR", "INPUT_CHANGED")
    assert "input 'submission/solve.py' is not the file that was uploaded" in ended["reason"]["detail"]


def test_the_reason_of_a_run_is_what_its_program_said_last(ada: http.Visitor, workflow: str) -> None:
    run = submit(ada, ada.group(workflow), "import sys\nprint('reading')\nsys.exit('line 12: a column is missing')\n")
    ended = ada.finished(run)
    said = "step 'solve': command 1 of 1 exited with code 1: line 12: a column is missing"
    assert ended["reason"] == {"code": "STEP_FAILED", "detail": said}
    assert ended["messages"] == [said, "reading\n", "line 12: a column is missing\n"]

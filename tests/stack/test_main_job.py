"""The main job over HTTP: publish, upload, run, rank, post-process, cancel, delete."""

import io
import json
import os
import subprocess
import sys
import tarfile
from typing import Any

import pytest

from local import emulator, stack
from support import http

TEMPLATE: dict[str, Any] = {
    "workflow": {
        "parameters": {"answers": "in/answers.txt", "factor": "$[[factor]]", "mode": "$[[mode]]"},
        "steps": [
            http.step("check", 'test "${mode}" != fail || { echo "it must not be" >&2; exit 3; }'),
            http.step("wait", 'test "${mode}" != slow || sleep 600'),
            http.step(
                "score",
                "mkdir -p out",
                "${python} code/score.py",
            ),
        ],
    },
    "parameters": [
        {"name": "answers", "dtype": "file", "target": "in/answers.txt"},
        {"name": "factor", "dtype": "float", "defaultValue": 1.0, "range": "[0,10]"},
        {"name": "mode", "dtype": "string", "defaultValue": "quick"},
    ],
    "outputs": [
        {"source": "out/score.json", "title": "Score", "format": {"type": "json"}},
        {"source": "out/répété.txt", "key": "repeated"},
    ],
    "results": {
        "file": "out/score.json",
        "schema": [
            {"name": "score", "label": "Score", "dtype": "float"},
            {"name": "note", "label": "Note", "dtype": "string", "required": False},
        ],
        "orderBy": [{"name": "score"}],
    },
    "postproc": {
        "workflow": {
            "parameters": {"runs": "$[[runs]]"},
            "steps": [http.step("table", "${python} code/table.py")],
        },
        "inputs": {"files": ["out/score.json"]},
        "outputs": [{"source": "table.csv", "title": "All scores"}],
    },
}
SCORE = """\
import json, os
answers = open('in/answers.txt', encoding='utf-8').read()
score = answers.count('right') * float(os.environ['factor'])
json.dump({'score': score}, open('out/score.json', 'w'))
open('out/r\\u00e9p\\u00e9t\\u00e9.txt', 'w', encoding='utf-8').write(answers)
"""
TABLE = """\
import json
runs = json.load(open('runs/runs.json'))
rows = [(run['name'], json.load(open(f"runs/{run['id']}/{run['files'][0]}"))['score']) for run in runs]
open('table.csv', 'w').write(''.join(f'{name},{score}\\n' for name, score in rows))
"""


@pytest.fixture(scope="module")
def workflow(deployed: stack.Stack) -> str:
    """A published workflow."""
    return http.publish(deployed, TEMPLATE, code__score_dot_py=SCORE, code__table_dot_py=TABLE)


def file_argument(upload: str) -> dict[str, Any]:
    """A file as an argument."""
    return {"type": "$file", "value": {"fileId": upload}}


def started(user: http.Visitor, group: str, answers: str, **arguments: Any) -> str:
    """A run over uploaded answers."""
    upload = user.upload(group, "answers.txt", answers.encode())
    return user.start(group, answers=file_argument(upload), **arguments)


def ranked(user: http.Visitor, workflow: str) -> list[str]:
    """The runs on the leaderboard."""
    return [line["run"]["id"] for line in user.get(f"workflows/{workflow}/leaderboard")["ranking"]]


def test_groups_run_and_are_ranked_and_post_processed(
    deployed: stack.Stack, service: http.Visitor, ada: http.Visitor, workflow: str
) -> None:
    grace = http.register(service)
    first, second = ada.group(workflow, "Ädas Gruppe"), grace.group(workflow, 'Graces, "Gruppe"')
    one = started(ada, first, "right wrong")
    two = started(grace, second, "right right")

    run = ada.finished(one)
    assert (run["state"], [step["state"] for step in run["steps"]]) == ("SUCCESS", ["SUCCESS"] * 3), run
    assert [file["name"] for file in run["files"]] == ["out/score.json", "repeated"]
    assert run["files"][0]["title"] == "Score"
    assert grace.finished(two)["state"] == "SUCCESS"

    content = ada.follow(f"runs/{one}/downloads/files/{run['files'][1]['id']}")
    assert content.body == b"right wrong"
    archive = ada.follow(f"runs/{one}/downloads/archive")
    with tarfile.open(fileobj=io.BytesIO(archive.body)) as members:
        assert sorted(members.getnames()) == ["manifest.json", "out/répété.txt", "out/score.json"]
        assert members.extractfile("out/répété.txt").read() == b"right wrong"
    for path in (f"runs/{one}", f"runs/{one}/downloads/archive", f"runs/{one}/downloads/files/{run['files'][0]['id']}"):
        assert service.call("GET", path).status == 401
        assert grace.call("GET", path).status == 403

    board = service.get(f"workflows/{workflow}/leaderboard")
    assert [(line["rank"], line["group"]["id"]) for line in board["ranking"]] == [(1, second), (2, first)]
    assert board["ranking"][0]["results"] == [{"name": "score", "value": 2.0}, {"name": "note", "value": None}]

    def processed(handle: Any) -> bool:
        return "postproc" in handle and not handle["postproc"].get("stale", True)

    handle = http.until(lambda: service.get(f"workflows/{workflow}"), processed, 90)
    assert handle["postproc"]["state"] == "SUCCESS"
    assert [file["title"] for file in handle["postproc"]["files"]] == ["All scores"]
    table = service.follow(f"workflows/{workflow}/downloads/files/{handle['postproc']['files'][0]['id']}")
    assert table.body.decode() == 'Graces, "Gruppe",2.0\nÄdas Gruppe,1.0\n'


def test_a_failing_step_is_explained(ada: http.Visitor, workflow: str) -> None:
    group = ada.group(workflow)
    run = ada.finished(started(ada, group, "right", mode="fail"))
    assert (run["state"], run["reason"]["code"]) == ("ERROR", "STEP_FAILED")
    assert "check" in run["reason"]["detail"]
    assert any("it must not be" in message for message in run["messages"])
    assert [step["state"] for step in run["steps"]] == ["ERROR", "PENDING", "PENDING"]
    assert run["steps"][0]["exitCode"] == 3
    log = ada.call("GET", f"runs/{run['id']}/logs?step=0&tail=100")
    assert b"it must not be" in log.body


def test_a_running_run_is_canceled(ada: http.Visitor, workflow: str) -> None:
    group = ada.group(workflow)
    run = started(ada, group, "right", mode="slow")
    http.until(lambda: ada.get(f"runs/{run}"), lambda handle: handle["steps"][1]["state"] == "RUNNING", 60)
    canceled = ada.call("PUT", f"runs/{run}", {"reason": "wrong file"})
    assert (canceled.status, canceled.json["state"]) == (200, "CANCELED")
    assert canceled.json["messages"] == ["wrong file"]
    assert ada.call("PUT", f"runs/{run}", {}).status == 409
    assert ada.get(f"runs/{run}")["state"] == "CANCELED"


def test_a_deleted_run_is_gone_with_its_files(deployed: stack.Stack, ada: http.Visitor, workflow: str) -> None:
    group = ada.group(workflow)
    run = started(ada, group, "right right right right")
    assert ada.finished(run)["state"] == "SUCCESS"
    assert run in ranked(ada, workflow)
    assert ada.call("DELETE", f"runs/{run}").status == 204
    assert ada.call("GET", f"runs/{run}").status == 404
    assert run not in ranked(ada, workflow)
    s3 = deployed.client("s3")
    http.until(
        lambda: s3.list_objects_v2(Bucket=deployed.bucket, Prefix=f"runs/{run}/")["KeyCount"],
        lambda count: count == 0,
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 400),
        ([{"name": "nobody", "value": 1}], 400),
        ([{"name": "answers", "value": {"type": "$file", "value": {"fileId": "01M83R1ZY89MV8AZ4G6T63GMV6"}}}], 404),
        ([{"name": "answers", "value": "in/answers.txt"}], 400),
        ([{"name": "factor", "value": 11}, {"name": "factor", "value": 11}], 400),
        ("not a list", 400),
    ],
)
def test_a_run_with_bad_arguments_is_refused(ada: http.Visitor, workflow: str, arguments: Any, status: int) -> None:
    group = ada.group(workflow)
    refused = ada.call("POST", f"groups/{group}/runs", {"arguments": arguments})
    assert refused.status == status, refused.body
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json["message"] == refused.json["detail"]
    assert ada.get(f"groups/{group}/runs") == {"runs": []}


def test_a_broken_package_is_told_every_fault(deployed: stack.Stack, service: http.Visitor) -> None:
    broken = {**TEMPLATE, "parameters": [{"name": "answers", "dtype": "fiel"}, {"name": "factor", "dtype": "int"}]}
    report = http.drop(deployed, "broken", http.package(broken))
    assert report["status"] == "rejected"
    assert {"parameters[0].dtype"} <= {fault["place"].split()[-1] for fault in report["faults"]}, json.dumps(report)
    assert len(report["faults"]) >= 2
    assert service.call("GET", "workflows/broken").status == 404


def test_a_run_of_three_steps_is_thirteen_transitions(deployed: stack.Stack, ada: http.Visitor, workflow: str) -> None:
    run = ada.finished(started(ada, ada.group(workflow), "right"))["id"]
    machines = deployed.client("stepfunctions")
    arn = deployed.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{run}"
    http.until(lambda: machines.describe_execution(executionArn=arn)["status"], lambda status: status == "SUCCEEDED")
    history = machines.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    entered = [event["stateEnteredEventDetails"]["name"] for event in history if event["type"].endswith("StateEntered")]
    loop = ["Next Step", "Stage Step", "Run Step"]
    assert entered == ["Begin", *loop * 3, "Next Step", "Publish Results", "Post Process"]


@pytest.mark.parametrize(
    ("function", "event", "answer"),
    [("GetRunFunction", "get_run", '"statusCode": 403'), ("PublishWorkflowFunction", "publish_workflow", '"status"')],
)
def test_sam_remote_invoke_takes_the_sample_events(
    deployed: stack.Stack, function: str, event: str, answer: str
) -> None:
    environment = {**os.environ, **emulator.CREDENTIALS, "SAM_CLI_TELEMETRY": "0"}
    if deployed.endpoint_url:
        environment["AWS_ENDPOINT_URL"] = deployed.endpoint_url
    command = ["remote", "invoke", function, "--stack-name", deployed.name, "--event-file", f"events/{event}.json"]
    done = subprocess.run(
        [sys.executable, "-m", "samcli", *command],
        cwd=emulator.PROJECT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert answer in done.stdout

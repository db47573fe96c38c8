"""Results on the deployed stack: delivered into the bucket by engines outside, downloaded from S3 by whoever may."""

import hashlib
import json
import os
import pathlib
import subprocess
import urllib.parse
import urllib.request
import uuid
from typing import Any

import pytest

from local import publish, stack
from support import http, packages

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "cluster"
FILES = {"results/scores.json": b'{"score": 0.75}', "results/plots/a b (ü).svg": b"<svg/>" * 1000}


@pytest.fixture(scope="module")
def group(deployed: stack.Stack, ada: http.Visitor) -> str:
    """A group of a workflow that engines outside may execute."""
    return ada.group(http.publish(deployed, packages.DELIVERED))


def start(user: http.Visitor, group: str, **config: Any) -> Any:
    """A run that an engine outside executes."""
    body = {"arguments": [], "config": {"engine": "external", **config}}
    reply = user.call("POST", f"groups/{group}/runs", body)
    assert reply.status == 201, reply.body
    return reply.json


def put(deployed: stack.Stack, run: str, path: str, body: bytes = b"") -> None:
    """Put an object into the inbox of a run, as somebody with AWS credentials does."""
    deployed.client("s3").put_object(Bucket=deployed.bucket, Key=f"inbox/results/{run}/{path}", Body=body)


def report(deployed: stack.Stack, run: str, marker: str = "_SUCCESS") -> Any:
    """The report beside a marker, once it is there."""
    s3, key = deployed.client("s3"), f"inbox/results/{run}/{marker}.report.json"
    place = {"Bucket": deployed.bucket, "Key": key}
    http.until(lambda: s3.list_objects_v2(Bucket=deployed.bucket, Prefix=key)["KeyCount"], bool)
    said = json.load(s3.get_object(**place)["Body"])
    s3.delete_object(**place)
    return said


def listed(deployed: stack.Stack, prefix: str) -> set[str]:
    """The keys below a prefix."""
    found = deployed.client("s3").list_objects_v2(Bucket=deployed.bucket, Prefix=prefix).get("Contents", [])
    return {one["Key"].removeprefix(prefix) for one in found}


def get(url: str, **headers: str) -> Any:
    """GET a signed URL."""
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)


def test_a_shell_script_plays_the_cluster(deployed: stack.Stack, service: http.Visitor, ada: http.Visitor) -> None:
    workflow = f"cluster_{uuid.uuid4().hex[:8]}"
    assert publish.publish(deployed, EXAMPLE, workflow)["status"] == "accepted"
    group = ada.group(workflow)
    environment = {"PATH": os.environ["PATH"], "API": deployed.api_url, "TOKEN": str(ada.token)}
    script = [EXAMPLE / "deliver.sh", group, "2000"]
    ended = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    run = ended.stdout.strip()

    handle = ada.finished(run)

    assert handle["state"] == "SUCCESS", handle
    names = ["results/estimate.json", *(f"results/logs/worker {number}.txt" for number in (1, 2, 3))]
    assert [file["name"] for file in handle["files"]] == names
    # The run goes on before what was delivered is tidied up.
    http.until(lambda: listed(deployed, f"inbox/results/{run}/"), lambda left: left == {"_SUCCESS.report.json"})
    (line,) = service.get(f"workflows/{workflow}/leaderboard")["ranking"]
    assert (line["run"]["id"], line["results"][1]["value"]) == (run, 6000)


def test_objects_put_into_the_bucket_become_results(deployed: stack.Stack, ada: http.Visitor, group: str) -> None:
    handle = start(ada, group)
    run = handle["id"]
    assert handle["state"] == "RUNNING"

    put(deployed, run, "_SUCCESS")
    early = report(deployed, run)
    assert (early["status"], early["code"]) == ("ignored", "INCOMPLETE")
    for path, content in FILES.items():
        put(deployed, run, path, content)
    put(deployed, run, "../../../runs/x/files/climbed", b"evil")
    put(deployed, run, "_SUCCESS")
    assert report(deployed, run)["code"] == "FILES_REFUSED"
    assert (ada.get(f"runs/{run}")["state"], listed(deployed, f"runs/{run}/")) == ("RUNNING", set())
    deployed.client("s3").delete_object(
        Bucket=deployed.bucket, Key=f"inbox/results/{run}/../../../runs/x/files/climbed"
    )
    put(deployed, run, "_SUCCESS")
    assert report(deployed, run)["status"] == "accepted"

    ended = ada.finished(run)
    assert ended["state"] == "SUCCESS", ended
    for file in ended["files"]:
        assert file["sha256"] == hashlib.sha256(FILES[file["name"]]).hexdigest()
        assert ada.follow(f"runs/{run}/downloads/files/{file['id']}").body == FILES[file["name"]]

    http.until(lambda: listed(deployed, f"inbox/results/{run}/"), lambda left: not left)
    put(deployed, run, "results/scores.json", b'{"score": 100}')
    put(deployed, run, "_SUCCESS", b'{"late": true}')
    assert report(deployed, run)["code"] == "DELIVERED_BEFORE"
    assert ada.get(f"runs/{run}") == ended


def test_an_engine_can_fail(deployed: stack.Stack, ada: http.Visitor, group: str) -> None:
    run = start(ada, group)["id"]
    put(deployed, run, "core.log", b"what happened")
    put(deployed, run, "_ERROR", b'{"messages": ["out of licences"]}')
    ended = ada.finished(run)
    assert (ended["state"], ended["reason"]["code"], ended["messages"][1:]) == (
        "ERROR",
        "STEP_FAILED",
        ["out of licences"],
    )
    assert [file["name"] for file in ended["files"]] == ["core.log"]
    assert report(deployed, run, "_ERROR")["status"] == "accepted"


def test_the_form_is_for_this_inbox_only(deployed: stack.Stack, ada: http.Visitor, group: str) -> None:
    handle = start(ada, group)
    fields = handle["ingest"]["upload"]["fields"]
    url = handle["ingest"]["upload"]["url"]

    def post(key: str, **more: str) -> str:
        given = {**fields, **more, "key": key}
        sent = [part for name, text in given.items() for part in ("--form-string", f"{name}={text}")]
        command = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", *sent, "-F", "file=@-", url]
        return subprocess.run(command, input="x", capture_output=True, text=True, timeout=60).stdout

    assert post(f"inbox/results/{handle['id']}/x") == "204"
    assert post(f"inbox/results/{handle['id']}/x", **{"Content-Type": "text/plain"}) == "204"
    for key in ("x", "inbox/results/x", f"runs/{handle['id']}/files/x", "inbox/workflows/x.zip"):
        assert post(key) == "403"


def test_who_delivers_without_an_aws_account_learns_why_it_was_ignored(
    deployed: stack.Stack, ada: http.Visitor, group: str
) -> None:
    handle = start(ada, group)
    link = handle["ingest"]["report"]
    assert http.request("GET", link).status in (403, 404)
    put(deployed, handle["id"], "_SUCCESS")
    said = http.until(lambda: http.request("GET", link), lambda reply: reply.status == 200, 60)
    assert (json.loads(said.body)["status"], json.loads(said.body)["code"]) == ("ignored", "INCOMPLETE")
    assert ada.get(f"runs/{handle['id']}")["state"] == "RUNNING"


def test_a_canceled_run_waits_no_longer_and_takes_nothing(deployed: stack.Stack, ada: http.Visitor, group: str) -> None:
    run = start(ada, group)["id"]
    assert ada.call("PUT", f"runs/{run}", {"reason": "enough"}).status == 200
    for path, content in FILES.items():
        put(deployed, run, path, content)
    put(deployed, run, "_SUCCESS")
    late = report(deployed, run)
    assert (late["status"], late["code"]) == ("ignored", "RUN_IS_FINAL")
    assert (ada.get(f"runs/{run}")["state"], listed(deployed, f"runs/{run}/files/")) == ("CANCELED", set())
    executions = deployed.client("stepfunctions")
    arn = deployed.state_machine_arn.replace(":stateMachine:", ":execution:")
    # One that has not begun to wait finds the run canceled, and ends by itself.
    assert executions.describe_execution(executionArn=f"{arn}:{run}")["status"] in ("ABORTED", "SUCCEEDED")


def test_what_a_canceled_run_left_is_listed(deployed: stack.Stack, ada: http.Visitor) -> None:
    steps = [http.step("begin", "echo half > half.txt"), http.step("go on", "echo working; sleep 600")]
    group = ada.group(http.publish(deployed, {"workflow": {"steps": steps}}))
    run = ada.start(group)
    http.until(lambda: ada.call("GET", f"runs/{run}/logs?step=1&tail=100").body, lambda body: b"working" in body)
    assert ada.call("PUT", f"runs/{run}", {}).status == 200

    left = http.until(lambda: ada.get(f"runs/{run}"), lambda handle: handle["fileCount"], 90)

    assert (left["state"], [file["name"] for file in left["files"]]) == ("CANCELED", ["half.txt"])
    assert ada.follow(f"runs/{run}/downloads/files/{left['files'][0]['id']}").body == b"half\n"
    assert ada.follow(f"runs/{run}/downloads/archive").status == 200


def test_downloads_are_links_for_those_who_may(
    deployed: stack.Stack, service: http.Visitor, ada: http.Visitor, group: str
) -> None:
    run = start(ada, group)["id"]
    for path, content in FILES.items():
        put(deployed, run, path, content)
    put(deployed, run, "_SUCCESS")
    plot = ada.finished(run)["files"][1]
    path = f"runs/{run}/downloads/files/{plot['id']}"

    reply = ada.call("GET", path)
    assert (reply.status, reply.body) == (302, b"")
    link = reply.headers["location"]
    answer = get(link)
    content = FILES["results/plots/a b (ü).svg"]
    assert answer.read() == content
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Content-Encoding"] is None
    name = urllib.parse.quote("a b (ü).svg", safe="")
    assert answer.headers["Content-Disposition"].endswith(f"filename*=UTF-8''{name}")
    part = get(link, Range="bytes=6-11")
    assert (part.status, part.read(), part.headers["Content-Range"]) == (206, content[6:12], "bytes 6-11/6000")

    stranger = http.register(service)
    for closed in (path, f"runs/{run}/downloads/archive", f"runs/{run}/files"):
        assert service.call("GET", closed).status == 401
        assert stranger.call("GET", closed).status == 403
    assert http.organiser(service, deployed).call("GET", path).status == 302


def test_a_large_file_is_announced_and_posted_to_s3(deployed: stack.Stack, ada: http.Visitor) -> None:
    copy = http.step("copy", 'cp "${data}" copied')
    template = {
        "parameters": [{"name": "data", "dtype": "file", "target": "data.bin"}],
        "workflow": {"parameters": {"data": "$[[data]]"}, "steps": [copy]},
        "outputs": [{"source": "copied"}],
    }
    group = ada.group(http.publish(deployed, template))
    content = bytes(range(256)) * 40_000
    digest = hashlib.sha256(content).hexdigest()
    body = {"name": "large.bin", "size": len(content), "sha256": digest}
    announced = ada.call("POST", f"uploads/{group}/files", body).json
    argument = {"name": "data", "value": {"type": "$file", "value": {"fileId": announced["id"]}}}

    def post(sent: bytes) -> str:
        fields = announced["upload"]["fields"]
        given = [part for name, text in fields.items() for part in ("--form-string", f"{name}={text}")]
        command = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", *given, "-F", "file=@-"]
        command.append(announced["upload"]["url"])
        return subprocess.run(command, input=sent, capture_output=True, timeout=60).stdout.decode()

    assert ada.call("POST", f"groups/{group}/runs", {"arguments": [argument]}).status == 409
    assert (post(content[:-1]), post(content + b"x")) == ("400", "400")
    assert ada.call("POST", f"groups/{group}/runs", {"arguments": [argument]}).status == 409
    assert post(content) == "204"
    handle = ada.finished(ada.start(group, data=argument["value"]))
    assert (handle["state"], handle["files"][0]["sha256"]) == ("SUCCESS", digest)

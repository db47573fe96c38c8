"""The deployed API keeps to its OpenAPI document, whatever it is sent: played by schemathesis, all checks on.

Left out, with the reason:
- unsupported_method: methods without a route are answered by API Gateway, and here by the emulator, which leaves out
  the header Allow and the configured gateway responses; what is configured is checked in test_flowserv_defects.py.
- positive_data_acceptance: a body may fit the schema and still be refused, because what its text means (an argument
  of a parameter that the workflow does not have, a member who does not exist) is in no schema.
- logging out, with a token: the token would be refused by all that follows; without a token it is played.
"""

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from local import emulator, stack
from support import http

DOCUMENT = emulator.PROJECT / "functions" / "get_openapi" / "openapi.json"
# May a token make a difference, by operation?
GUARDED = {
    each["operationId"]: bool(each.get("security"))
    for item in json.loads(DOCUMENT.read_text("utf-8"))["paths"].values()
    for each in item.values()
}
OPERATIONS = len(GUARDED)
LEFT_OUT = ("unsupported_method", "positive_data_acceptance")
# Methods without a route are left out, as above.
CONFIG = """
[phases.coverage]
unexpected-methods = []
"""
# Covering every combination of parameters takes most of the time, so each operation is covered once: as a stranger if
# it asks for no token, else as a member. Of HEAD, and of PUT in the disguise of POST, a few examples are enough.
NOT_COVERED = """
[[operations]]
include-operation-id = "{}"
phases.coverage.enabled = false
"""
EXAMPLES = 2
SECONDS = 600
TEMPLATE: dict[str, Any] = {
    "workflow": {"parameters": {"count": "$[[count]]"}, "steps": [http.step("count", "true")]},
    "parameters": [{"name": "count", "dtype": "int", "defaultValue": 1}],
}


@pytest.fixture(scope="module")
def places(deployed: stack.Stack) -> dict[str, str]:
    """What there is, by path parameter; and the token of a member."""
    user = http.register(http.Visitor(deployed.api_url))
    workflow = http.publish(deployed, TEMPLATE)
    group = user.group(workflow)
    file = user.upload(group, "data.txt", b"data")
    run = user.start(group)
    user.finished(run)
    return {"workflowId": workflow, "groupId": group, "runId": run, "fileId": file, "token": str(user.token)}


def play(deployed: stack.Stack, folder: pathlib.Path, parameters: dict[str, str], guarded: bool, *options: str) -> str:
    """Let schemathesis play all operations on what there is, and cover those that are `guarded` or those that are not.

    Answers what it printed, if it found nothing.
    """
    config = folder / "schemathesis.toml"
    covered = {name for name, asks in GUARDED.items() if asks == guarded and not name.endswith(("_head", "_by_post"))}
    left_out = [NOT_COVERED.format(name) for name in GUARDED if name not in covered]
    known = [f'"{name}" = "{value}"\n' for name, value in parameters.items()]
    config.write_text("".join([CONFIG, *left_out, "\n[parameters]\n", *known]))
    command = [str(pathlib.Path(sys.executable).with_name("schemathesis")), "--config-file", str(config)]
    command += ["run", str(DOCUMENT), "--url", deployed.api_url, "--workers", "1", "--seed", "1", "--no-shrink"]
    command += ["--checks", "all", "--exclude-checks", ",".join(LEFT_OUT), "--max-examples", str(EXAMPLES)]
    command += [
        "--phases",
        "examples,coverage,fuzzing,stateful",
        "--generation-deterministic",
        "--max-redirects",
        "0",
        "--continue-on-failure",
    ]
    command += ["--suppress-health-check", "all", "--warnings", "off", "--no-color", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:] + mistakes(deployed)
    return done.stdout


def mistakes(deployed: stack.Stack) -> str:
    """What the functions logged of errors that they did not expect, which answers do not tell."""
    group = f"/flowserverless/{deployed.name}/functions"
    pages = deployed.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [event["message"] for page in pages for event in page["events"]]
    return "\n".join(line for line in lines if "unexpected error" in line)[-8000:]


def test_who_polls_or_asks_for_headers_only_gets_no_body(deployed: stack.Stack, places: dict[str, str]) -> None:
    member = http.Visitor(deployed.api_url, places["token"])
    for path in ("", "workflows", f"workflows/{places['workflowId']}", f"groups/{places['groupId']}/runs"):
        full, head = member.call("GET", path), member.call("HEAD", path)
        assert (head.status, head.body, head.headers["etag"]) == (200, b"", full.headers["etag"]), path
        again = member.call("GET", path, If_None_Match=full.headers["etag"])
        assert (again.status, again.body) == (304, b""), path
    file = f"uploads/{places['groupId']}/files/{places['fileId']}"
    link = http.Visitor(deployed.api_url, places["token"]).call("HEAD", file)
    assert (link.status, link.body) == (302, b"")
    there = http.request("HEAD", link.headers["location"])
    assert (there.status, there.headers["content-length"]) == (200, "4")


def test_a_stranger_gets_documented_answers(
    deployed: stack.Stack, places: dict[str, str], tmp_path: pathlib.Path
) -> None:
    told = play(deployed, tmp_path, {name: value for name, value in places.items() if name != "token"}, False)
    assert f"{OPERATIONS} tested" in told or f"Tested: {OPERATIONS}" in told, told


def test_a_member_gets_documented_answers(
    deployed: stack.Stack, places: dict[str, str], tmp_path: pathlib.Path
) -> None:
    given = {name: value for name, value in places.items() if name != "token"}
    token = f"Authorization: Bearer {places['token']}"
    told = play(deployed, tmp_path, given, True, "--header", token, "--exclude-operation-id", "logout_user")
    assert f"Tested: {OPERATIONS - 1}" in told, told

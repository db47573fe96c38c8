"""flowServ's own client at this service: its classes do the main job, unmodified.

It sends no token with downloads, which is why this file has a deployment of its own with PublicDownloads.
"""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from flowserverless.api import descriptor
from local import emulator, stack
from support import http

PEER = emulator.STATE / "peer" / "bin" / "python"
# Modules beside the client, of which one is called http, are not what it imports.
SAFE = ["-P"]
CLIENT = emulator.PROJECT / "tests" / "support" / "peer.py"
SECONDS = 240
COMMAND = """printf '{"count": %d}' "$(wc -l < "${names}")" > out/count.json"""
TEMPLATE: dict[str, Any] = {
    "workflow": {
        "parameters": {"names": "$[[names]]"},
        "steps": [http.step("count", "mkdir -p out", COMMAND)],
    },
    "parameters": [{"name": "names", "dtype": "file", "target": "in/names.txt"}],
    "outputs": [{"source": "out/count.json"}],
    "results": {
        "file": "out/count.json",
        "schema": [{"name": "count", "label": "Count", "dtype": "int"}],
    },
}


@pytest.fixture(scope="module")
def opened(deploy: Callable[..., stack.Stack]) -> stack.Stack:
    """A stack whose downloads need no token."""
    return deploy("peer", {"PublicDownloads": "true"})


def test_the_client_of_flowserv_does_the_main_job(opened: stack.Stack, tmp_path: Any) -> None:
    assert PEER.exists(), "flowServ's client is not installed; `make test` does that"
    workflow = http.publish(opened, TEMPLATE)
    names = tmp_path / "names.txt"
    names.write_text("Ada\nGrace\n")
    command = [str(PEER), *SAFE, str(CLIENT), opened.api_url, workflow, str(names)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env={"HOME": str(tmp_path), "PATH": ""}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)

    assert said["routes"].items() <= descriptor.ROUTES.items()
    assert said["descriptor"]["url"] == opened.api_url
    assert said["login"]["username"] == said["whoami"]["username"] == "grace"
    grace = said["whoami"]["id"]
    assert said["users"] == {"users": [{"id": grace, "username": "grace"}]}
    assert [one["id"] for one in said["workflows"]["workflows"]] == [said["workflow"]["id"]] == [workflow]
    assert (said["group"]["id"], said["group"]["members"]) == ("graces", [{"id": grace, "username": "grace"}])
    assert said["renamed"]["name"] == "The group of Grace"
    assert [[group["id"] for group in listed["groups"]] for listed in said["groups"]] == [["graces"]] * 2
    assert (said["uploaded"]["size"], said["upload"]) == (10, "Ada\nGrace\n")
    assert [file["id"] for file in said["uploads"]["files"]] == [said["uploaded"]["id"]]

    run = said["run"]
    assert run["state"] == "SUCCESS", run
    assert [[one["id"] for one in listed["runs"]] for listed in said["listed"]] == [[run["id"]], [run["id"]], []]
    assert json.loads(said["result"]) == {"count": 2}
    assert said["archive"] == ["manifest.json", "out/count.json"]
    for board in said["leaderboard"]:
        assert [(line["run"]["id"], line["results"]) for line in board["ranking"]] == [
            (run["id"], [{"name": "count", "value": 2}])
        ]
    assert {"runs", "files", "parameters", "members"} <= said["handle"].keys()
    assert said["left"] == [{"runs": []}, {"files": []}]
    assert said["logout"]["username"] == "grace"

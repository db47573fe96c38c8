"""Steps that delete, rename, replace and withdraw, on the deployed stack: each finds what the one before left."""

import uuid

from local import stack
from support import http, packages


def step(name: str, *commands: str) -> dict[str, object]:
    return {"name": name, "action": {"environment": "python:3.13", "commands": list(commands)}}


TEMPLATE = {
    "workflow": {
        "steps": [
            step(
                "make",
                "mkdir -p parts results/plots; for i in 1 2 3 4; do echo $i > parts/$i.txt; done; echo 1 > model",
                "printf '#!/bin/sh\\necho built' > tool; chmod +x tool; touch -d @1600000000 tool",
                'echo "{\\"score\\": 1}" > score.json; rm data.txt',
            ),
            step(
                "change",
                "rm parts/1.txt; mv parts/2.txt parts/two.txt; rm model; mkdir model; echo 2 > model/weights",
                "ln -s parts linked; echo > \"$(printf 'tab\\there')\"",
            ),
            step(
                "look",
                "ls parts | tr '\\n' ' '; ls linked | tr '\\n' ' '; ls data.txt 2> /dev/null; true",
                "cat model/weights; ./tool; ./hello.sh; stat -c %Y tool; echo 2 > results/plots/b",
            ),
            step("withdraw", "rm score.json"),
        ]
    },
    "results": {"file": "score.json", "schema": [{"name": "score", "label": "Score", "dtype": "int"}]},
}


def test_a_step_finds_what_the_one_before_left(deployed: stack.Stack, ada: http.Visitor) -> None:
    workflow, files = f"w{uuid.uuid4().hex[:8]}", {"hello.sh": b"#!/bin/sh\necho hello\n", "data.txt": b"1"}
    report = http.drop(deployed, workflow, packages.package(TEMPLATE, files, {"hello.sh"}))
    assert report["status"] == "accepted", report
    run = ada.finished(ada.start(ada.group(workflow)))
    assert run["state"] == "SUCCESS", run
    seen = ada.follow(f"runs/{run['id']}/logs?step=2").body.decode()
    assert seen == "3.txt 4.txt two.txt 3.txt 4.txt two.txt 2\nbuilt\nhello\n1600000000\n"
    assert run["ranking"]["code"] == "NO_RESULT_FILE"
    assert "score.json" not in [file["name"] for file in run["files"]]
    assert run["messages"] == ["'tab\\there' was not delivered: a path has no control characters"]

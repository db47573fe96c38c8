"""Notebook steps on a stack that was deployed with the notebooks layer, which is why this file has one of its own."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local import stack
from support import http, notebook

TEMPLATE: dict[str, Any] = {
    "workflow": {
        "parameters": {"n": "$[[n]]", "title": "$[[title]]"},
        "steps": [
            {
                "name": "draw",
                "files": {"inputs": ["draw.ipynb"], "outputs": ["square.json"]},
                "action": {"notebook": "draw.ipynb", "output": "drawn.ipynb", "params": ["n", "title"]},
            },
            http.step("look", "cp square.json seen.json", files={"outputs": ["seen.json"]}),
        ],
        "files": {"outputs": ["drawn.ipynb", "seen.json"]},
    },
    "parameters": [{"name": "n", "dtype": "int"}, {"name": "title", "dtype": "string", "defaultValue": 'it\'s "a"'}],
}
CELLS = [
    "n, title = 0, ''",
    "import json\nprint(title)",
    "json.dump({'square': n * n, 'inverse': 1 / n, 'title': title}, open('square.json', 'w'))",
]
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@pytest.fixture(scope="module")
def with_notebooks(deploy: Callable[..., stack.Stack]) -> stack.Stack:
    """A stack with notebooks."""
    return deploy("notebooks", {"Notebooks": "true"})


def test_a_notebook_is_executed_with_the_arguments_of_a_run(with_notebooks: stack.Stack) -> None:
    ada = http.register(http.Visitor(with_notebooks.api_url))
    workflow = http.publish(with_notebooks, TEMPLATE, draw_dot_ipynb=notebook.of(*CELLS, kernelspec=KERNEL).decode())
    group = ada.group(workflow)
    good, bad = ada.start(group, n=4), ada.start(group, n=0)

    ended = ada.finished(good)
    assert ended["state"] == "SUCCESS", ended
    assert json.loads(content(ada, ended, "seen.json")) == {"square": 16, "inverse": 0.25, "title": 'it\'s "a"'}
    assert "it's" in content(ada, ended, "drawn.ipynb")

    failed = ada.finished(bad)
    assert (failed["state"], failed["reason"]["code"]) == ("ERROR", "STEP_FAILED"), failed
    assert any(text.rstrip().endswith("ZeroDivisionError: division by zero") for text in failed["messages"]), failed
    assert "ZeroDivisionError" in content(ada, failed, "drawn.ipynb")


def content(who: http.Visitor, run: Any, name: str) -> str:
    """The text of a file of a run."""
    (found,) = (file for file in run["files"] if file["name"] == name)
    return who.follow(f"runs/{run['id']}/downloads/files/{found['id']}").body.decode()

"""Templates of workflows for tests, and packages with them."""

import copy
import io
import json
import zipfile
from collections.abc import Collection, Mapping
from typing import Any

from flowserverless.domain.ranking import results

STEP = {"name": "work", "action": {"environment": "python:3.13", "commands": ["true"]}}
SCORES = {
    "file": "results/scores.json",
    "schema": [{"name": "score", "label": "Score", "dtype": "float"}],
}
# A workflow that an engine outside may execute; it promises two files and is ranked by one of them.
DELIVERED = {
    "flowserverless": {"external": True},
    "workflow": {"steps": [STEP]},
    "outputs": [
        {"source": "results/scores.json", "title": "Scores"},
        {"source": "results/plots/", "title": "Plots"},
    ],
    "results": SCORES,
}
# A workflow whose runs are ranked by a score, and by time where that is equal.
RESULTS = {
    "file": "results/score.json",
    "schema": [
        {"name": "score", "label": "Score", "dtype": "float", "path": "metrics/score"},
        {"name": "seconds", "label": "Time", "dtype": "int", "required": False},
        {"name": "note", "label": "Note", "dtype": "string", "required": False},
    ],
    "orderBy": [{"name": "score"}, {"name": "seconds", "sortDesc": False}],
}
SCORE = {"name": "score", "action": {"environment": "python:3.11", "commands": ["echo"]}}
RANKED = {"workflow": {"files": {"outputs": ["results/score.json"]}, "steps": [SCORE]}, "results": RESULTS}
POST_PROCESSING = {
    "workflow": {"files": {"outputs": ["plot.txt"]}, "steps": [{**SCORE, "name": "plot"}]},
    "inputs": {"files": ["results/score.json"], "runs": "runs/"},
    "outputs": [{"source": "plot.txt", "title": "Plot"}],
}
SCHEMA = results.parse(RESULTS)


def ranked(**changed: Any) -> dict[str, Any]:
    """The template `RANKED` with some of its elements replaced, or left out if None."""
    document = {**copy.deepcopy(RANKED), **changed}
    return {name: value for name, value in document.items() if value is not None}


def results_by(*order: str, **changed: Any) -> dict[str, Any]:
    """The results element with another order: the names of columns, `-` before those that ascend."""
    by = [{"name": name.lstrip("-"), "sortDesc": not name.startswith("-")} for name in order]
    return {**RESULTS, "orderBy": by, **changed}


def package(
    template: Mapping[str, Any], files: Mapping[str, bytes] | None = None, executable: Collection[str] = ()
) -> bytes:
    """A package with this template and files; a name that ends in a slash is a folder."""
    listed = [{"source": name, "target": name} for name in files or {}]
    manifest = {"name": "Bench", "specfile": "workflow.json", "files": listed}
    content = {"flowserv.json": json.dumps(manifest), "workflow.json": json.dumps(template), **(files or {})}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in content.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o755 if name in executable else 0o644) << 16
            archive.writestr(member, body)
    return buffer.getvalue()


def dropped(bucket: str, key: str) -> dict[str, Any]:
    """What EventBridge tells of a new object."""
    return {"detail-type": "Object Created", "detail": {"bucket": {"name": bucket}, "object": {"key": key}}}

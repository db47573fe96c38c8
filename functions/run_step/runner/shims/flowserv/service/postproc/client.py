"""The ranked runs and their files, as a post-processing step finds them: `for run in Runs("runs"): ...`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from flowserv.service.postproc import base


class Run:
    """A ranked run; `name` is its group's, `files` are paths by the names of the template's `inputs.files`."""

    def __init__(self, run_id: str, name: str, files: dict[str, str]) -> None:
        self.run_id = run_id
        self.name = name
        self.files = files

    def get_file(self, name: str) -> str | None:
        """The path of a file; None if post-processing does not read that file of runs."""
        return self.files.get(name)


class Runs:
    """All ranked runs, the best first, whose files are below a directory."""

    def __init__(self, basedir: str | os.PathLike[str]) -> None:
        folder = os.fspath(basedir)
        with open(os.path.join(folder, base.RUNS_FILE), encoding="utf-8") as file:
            self.runs = [_run(folder, entry) for entry in json.load(file)]

    def __iter__(self) -> Iterator[Run]:
        """The runs in the order of the ranking."""
        return iter(self.runs)

    def __len__(self) -> int:
        """How many runs are ranked."""
        return len(self.runs)

    def at_rank(self, index: int) -> Run:
        """The run at a place of the ranking; the best is at 0."""
        return self.runs[index]

    def get_run(self, run_id: str) -> Run | None:
        """The run with that id; None if it is not ranked."""
        return next((run for run in self.runs if run.run_id == run_id), None)


def _run(folder: str, entry: dict[str, Any]) -> Run:
    run_id, name, names = (entry[label] for label in (base.LABEL_ID, base.LABEL_NAME, base.LABEL_FILES))
    return Run(run_id, name, {file: os.path.join(folder, run_id, file) for file in names})

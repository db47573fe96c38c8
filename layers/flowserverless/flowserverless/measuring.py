"""What a run is worth: its result file, read as the schema of a board says."""

import functools
from collections.abc import Callable

from flowserverless import documents
from flowserverless.domain import results, runs
from flowserverless.store import files, rankings, workflows


def schema(workflow: str, board: str) -> results.ResultSchema:
    """The schema that a board follows; raises NotFound."""
    published = workflows.version(workflow, rankings.version_of(board))
    return results.parse(published.template["results"])


def of(run: runs.Run, schema_of: Callable[[str], results.ResultSchema] | None = None) -> rankings.Measure:
    """A function that measures a run for any board; whatever it has read once it does not read again."""

    @functools.cache
    def content(file: str) -> bytes | None:
        return files.read(files.run(run.id, f"files/{file}"), results.LARGEST_FILE + 1)

    @functools.cache
    def measure(board: str) -> tuple[results.ResultSchema, rankings.Measurement]:
        found = schema_of(board) if schema_of else schema(run.workflow, board)
        return found, results.extract(found, content(found.file), documents.plain_yaml)

    return measure

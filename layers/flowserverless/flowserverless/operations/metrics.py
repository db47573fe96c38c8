"""Reads a run's metrics from its result file, as the schema of a board says."""

import functools
from collections.abc import Callable

from flowserverless.domain import ids, runs
from flowserverless.domain.ranking import results
from flowserverless.store import boards, bucket, version_items


def schema(workflow: str, board: str) -> results.ResultSchema:
    """The schema that a board follows; raises NotFound."""
    return version_items.get(workflow, ids.version_of(board)).results_schema


def of(run: runs.Run, schema_of: Callable[[str], results.ResultSchema] | None = None) -> boards.Measure:
    """A function that measures a run for any board; whatever it has read once it does not read again."""

    @functools.cache
    def content(file: str) -> bytes | None:
        return bucket.read(bucket.result(run.id, file), results.MAX_FILE_BYTES + 1)

    @functools.cache
    def measure(board: str) -> tuple[results.ResultSchema, boards.Measurement]:
        found = schema_of(board) if schema_of else schema(run.workflow, board)
        return found, results.extract(found, content(found.file), _plain_yaml)

    return measure


def _plain_yaml(content: bytes) -> object:
    # Here and not above, because nearly all result files are JSON, and this imports PyYAML.
    from flowserverless.packages import documents

    return documents.plain_yaml(content)

"""What moto holds, past the interfaces of AWS: snapshots of everything, and executions, which it only records."""

import copy
import json
from collections.abc import Iterable
from typing import Any

from moto.dynamodb import models as dynamodb_models
from moto.s3 import models as s3_models
from moto.stepfunctions import models

from flowserverless.store import bucket, table
from support import gateway


class Snapshot:
    """Everything that is stored now, to begin from it again and again."""

    def __init__(self) -> None:
        self._table = copy.deepcopy(_tables()[table.Item.Meta.table_name])
        self._objects = {found.key: bucket.read(found.key, 1 << 20) for found in bucket.listing("")}
        self._executions = [copy.deepcopy(machine.executions) for machine in _machines()]

    def restore(self) -> None:
        """Let everything be as it was."""
        _tables()[table.Item.Meta.table_name] = copy.deepcopy(self._table)
        bucket.remove([found.key for found in bucket.listing("") if found.key not in self._objects])
        for key, body in self._objects.items():
            _objects().put_object(bucket.bucket_name(), key, body)
        for machine, executions in zip(_machines(), self._executions, strict=True):
            machine.executions[:] = copy.deepcopy(executions)


def inputs() -> dict[str, dict[str, Any]]:
    """What every execution was started with, by name; a name that was started twice would be here once."""
    found = {execution.name: json.loads(execution.execution_input) for execution in _executions()}
    assert len(found) == len(_executions())
    return found


def status(name: str) -> str | None:
    """The status of an execution; None when there is none."""
    return next((execution.status for execution in _executions() if execution.name == name), None)


def end_execution(name: str, status: str, error: str | None = None, cause: str | None = None) -> None:
    """Let an execution end; whether anybody is told is another matter."""
    (execution,) = (one for one in _executions() if one.name == name)
    execution.status, execution.error, execution.cause = status, error, cause


def forget_execution(name: str) -> None:
    """As if an execution had never been started."""
    for machine in _machines():
        machine.executions[:] = [one for one in machine.executions if one.name != name]


def write_empty(keys: Iterable[str]) -> None:
    """Put many empty objects, past S3's interface because there they would take half a minute."""
    for key in keys:
        _objects().put_object(bucket.bucket_name(), key, b"")


def _tables() -> dict[str, Any]:
    return dynamodb_models.dynamodb_backends[gateway.ACCOUNT]["us-east-1"].tables


def _objects() -> s3_models.S3Backend:
    return s3_models.s3_backends[gateway.ACCOUNT]["aws"]


def _machines() -> list[models.StateMachine]:
    found: list[models.StateMachine] = models.stepfunctions_backends[gateway.ACCOUNT]["us-east-1"].state_machines
    return found


def _executions() -> list[models.Execution]:
    return [execution for machine in _machines() for execution in machine.executions]

"""Executions in Step Functions: every run is one execution, named by the run's id."""

import contextlib
import json
from typing import Any

from flowserverless import settings
from flowserverless.aws import clients
from flowserverless.domain import runs

RUNNING = "RUNNING"


def start(run: runs.Run, wait: int = 0) -> None:
    """Start the run's execution; a second call for the same run finds it started.

    `wait` are seconds before the first step, by which a burst of changes becomes one post-processing run.
    """
    document = {
        "run": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "tenant": run.group or f"postproc-{run.workflow}",
        "executors": list(run.executors),
        "wait": wait,
    }
    _start("run-workflow", run.id, document)


def remove_files(run_id: str, attempt: str) -> None:
    """Start the removal of a deleted run's objects; `attempt` makes the name of a later try another one."""
    _start("remove-files", f"{run_id}-{attempt}"[:80], {"run": run_id})


def remove_group(group: str, attempt: str) -> None:
    """Start deleting what a closed group still has; `attempt` makes the name of a later try another one."""
    _start("remove-files", f"{group}-{attempt}"[:80], {"group": group})


def collect_files(run_id: str, attempt: str) -> None:
    """Start listing the files of a run that ended from outside, as the status change of its execution does."""
    document = {"executionArn": _arn(run_id), "name": run_id, "status": "ABORTED"}
    _start("collect-files", f"{run_id}-{attempt}"[:80], document)


def rebuild_ranking(workflow: str, attempt: str) -> None:
    """Start filling the board that a new results schema asks for."""
    _start("rebuild-ranking", f"{workflow}-{attempt}"[:80], {"workflow": workflow})


def _start(machine: str, name: str, document: dict[str, Any]) -> None:
    client = clients.client("stepfunctions")
    # AWS answers 200 for the same input while it runs, otherwise ExecutionAlreadyExists; both mean: started.
    with contextlib.suppress(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=_machine(machine), name=name, input=json.dumps(document))


def _machine(name: str) -> str:
    """The ARN of a state machine by its name within the stack."""
    return settings.current().state_machines + name


def _arn(run_id: str) -> str:
    return _machine("run-workflow").replace(":stateMachine:", ":execution:") + f":{run_id}"


def stop(run_id: str, error: str, cause: str) -> None:
    """Stop the run's execution; one that has ended or never began is left as it is."""
    client = clients.client("stepfunctions")
    with contextlib.suppress(client.exceptions.ExecutionDoesNotExist):
        client.stop_execution(executionArn=_arn(run_id), error=error, cause=cause[:32000])


def status(run_id: str) -> tuple[str, str, str] | None:
    """Status, error and cause of the run's execution; None when there is none (or it is older than 90 days)."""
    client = clients.client("stepfunctions")
    try:
        answer = client.describe_execution(executionArn=_arn(run_id))
    except client.exceptions.ExecutionDoesNotExist:
        return None
    return answer["status"], answer.get("error", ""), answer.get("cause", "")


def resume(token: str, output: dict[str, Any]) -> bool:
    """Let an execution that waits for an external engine go on; False when it does not wait any more."""
    client = clients.client("stepfunctions")
    try:
        client.send_task_success(taskToken=token, output=json.dumps(output))
    except (
        client.exceptions.TaskDoesNotExist,
        client.exceptions.TaskTimedOut,
        client.exceptions.InvalidToken,
    ):
        return False
    return True

"""The Fargate task of a job in AWS Batch: which sizes there are, and why a job failed."""

import json

from flowserverless.domain import frozen, limits, runs
from flowserverless.domain.templates import steps

# The two containers of ours that fetch inputs before the step, and deliver its outputs after it.
COMPANIONS = 2
COMPANION_VCPU = 0.25
COMPANION_MEMORY = 256
# Fargate gives less to smaller tasks, but three containers cannot share it.
MIN_VCPU = 1.0


@frozen.dataclass
class Size:
    """What the step's own container gets of a task: vCPU, and memory in MiB that it may not exceed."""

    vcpu: float
    memory: int


def size(asked: steps.Resources) -> Size:
    """The step's share of the smallest Fargate task that has at least what it asks for.

    The containers of a task share its CPU, so that one that runs alone has all of it; memory is cut off at the
    share. Only of the largest memory that Fargate has for so many vCPU the step gets less than it asks for.
    """
    vcpu = max(asked.vcpu, MIN_VCPU)
    least, most, multiple = steps.FARGATE[vcpu]
    ours = COMPANIONS * COMPANION_MEMORY
    needed = max(least, asked.memory + ours)
    task = min(most, least + -(-(needed - least) // multiple) * multiple)
    return Size(vcpu - COMPANIONS * COMPANION_VCPU, task - ours)


def failure(cause: str) -> runs.Reason | None:
    """Why a job failed, read from its description (Batch's JobDetail); None if `cause` is none.

    Batch tells neither a timeout nor missing memory by a code, only in words.
    """
    try:
        job = json.loads(cause)
    except ValueError:
        return None
    if not isinstance(job, dict) or "JobId" not in job:
        return None
    said = "; ".join(dict.fromkeys(text for text in _reasons(job) if isinstance(text, str) and text))[:1000]
    if "OutOfMemory" in said:
        has = f"the {job['Memory'][:20]} MiB that it has" if isinstance(job.get("Memory"), str) else "it has"
        return runs.Reason("OUT_OF_MEMORY", f"the step needed more memory than {has}: {limits.RESOURCES}")
    if "exceeded timeout" in said:
        seconds = job.get("Seconds")
        most = f"{seconds:g} seconds, fetching and delivering included" if isinstance(seconds, int) else "it may"
        return runs.Reason("TIMEOUT", f"the step ran longer than {most}: {limits.OF_JOB_TIME}")
    if "CannotPull" in said or "CannotStart" in said or "CannotCreate" in said:
        return runs.Reason("STEP_FAILED", f"the step's container could not be started: {said}")
    return runs.Reason("SYSTEM_ERROR", f"the step's job in AWS Batch failed: {said or 'no reason was given'}")


def _reasons(found: object) -> list[object]:
    """All that the containers, the attempts and the job itself give as a reason."""
    if isinstance(found, list):
        return [reason for one in found for reason in _reasons(one)]
    if not isinstance(found, dict):
        return []
    own = [found[name] for name in ("Reason", "StatusReason") if name in found]
    return [*(reason for value in found.values() for reason in _reasons(value)), *own]

"""Says who sets a limit, for the messages to people who reach it."""

from collections.abc import Mapping

# By the member of a step's manifest, the parameter of the installation's template.
OF_STEPS: Mapping[str, str] = {
    "seconds": "StepSeconds",
    "memoryBytes": "StepMemory",
    "outputBytes": "OutputBytes",
    "fileBytes": "FileBytes",
    "logBytes": "LogBytes",
    "processes": "StepProcesses",
    "openFiles": "StepOpenFiles",
    "cpuSeconds": "StepCpuSeconds",
}
OF_JOBS: Mapping[str, str] = {"outputBytes": "JobOutputBytes", "fileBytes": "JobOutputBytes", "logBytes": "LogBytes"}
RESOURCES = "`resources` of the step, or of the run's config, set this limit"
OF_JOB_TIME = "`resources.timeoutSeconds` or the end of the run's time sets this limit"
FIXED = "this limit is the same in every installation"


def parameter(name: str) -> str:
    """That a parameter of the installation's template sets a limit."""
    return f"the installation's parameter {name} sets this limit"


def set_by(executor: str, seconds: str) -> dict[str, str]:
    """Who sets each limit of a step that runs in the Lambda or in Batch; `seconds` says it of its time."""
    parameters = OF_JOBS if executor == "batch" else OF_STEPS
    return {**{member: parameter(name) for member, name in parameters.items()}, "seconds": seconds, "files": FIXED}


def of_run(seconds: int, asked: int | None) -> str:
    """Who sets the time of a whole run, which may be less than was asked for in its config."""
    if asked == seconds:
        return f"that was left of the {seconds} seconds that `timeoutSeconds` in the run's config gives to a run"
    name = "MaxRunSeconds" if asked else "RunSeconds"
    return f"that was left of the {seconds} seconds that the installation's parameter {name} gives to a run"

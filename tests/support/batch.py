"""AWS Batch in a Lambda: what the state machines would ask of Batch is done with processes of this machine.

It stands for `registerJobDefinition`, `submitJob`, `describeJobs`, `listJobs`, `terminateJob` and
`deregisterJobDefinition`, which it tells apart by their arguments. A job is a process that outlives the call; its
containers are processes one after the other, their volume is a directory below `JOBS`.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

JOBS = pathlib.Path(os.environ.get("JOBS", "/nowhere"))
ARN = "arn:aws:batch:us-east-1:000000000000:job-definition/"


def handler(event, _context):
    """Answer as Batch does."""
    if "JobDefinitionName" in event:
        return register(event)
    if "Filters" in event:
        return {"JobSummaryList": found(event["Filters"][0]["Values"][0])}
    if "JobQueue" in event:
        return submit(event)
    if "Jobs" in event:
        return {"Jobs": [json.loads(description(name).read_text()) for name in event["Jobs"]]}
    if "JobId" in event:
        return terminate(event["JobId"], event["Reason"])
    kept = definition(event["JobDefinition"])
    if kept.exists():
        kept.rename(kept.with_suffix(".inactive"))
    return {}


def register(event):
    """Keep a definition."""
    arn = f"{ARN}{event['JobDefinitionName']}:1"
    definition(arn).write_text(json.dumps(event))
    return {"JobDefinitionArn": arn}


def submit(event):
    """Begin a job; its name is its id."""
    name = event["JobName"]
    (JOBS / name).mkdir()
    note(name, JobDefinition=event["JobDefinition"], Status="RUNNING")
    program = [sys.executable, __file__, name, event["JobDefinition"]]
    log = (JOBS / f"{name}.log").open("wb")
    job = subprocess.Popen(program, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    (JOBS / f"{name}.pid").write_text(str(job.pid))
    return {"JobName": name, "JobId": name}


def terminate(name, reason):
    """End the processes of a job that has not ended."""
    if json.loads(description(name).read_text())["Status"] == "RUNNING":
        os.killpg(int((JOBS / f"{name}.pid").read_text()), signal.SIGKILL)
        note(name, Status="FAILED", StatusReason=reason)
    return {}


def found(pattern):
    """Jobs whose name begins as the pattern does."""
    names = [path.stem for path in sorted(JOBS.glob("*.job")) if path.stem.startswith(pattern.removesuffix("*"))]
    return [json.loads(description(name).read_text()) for name in names]


def work(name, arn):
    """Run the containers of a job in the order of their dependencies; the essential one decides."""
    (task,) = json.loads(definition(arn).read_text())["EcsProperties"]["TaskProperties"]
    status = {}
    for container in task["Containers"]:
        for dependency in container.get("DependsOn", []):
            if dependency["Condition"] == "SUCCESS" and status[dependency["ContainerName"]]:
                return note(name, Status="FAILED", StatusReason=f"{dependency['ContainerName']} failed")
        command = [part.replace("/room", str(JOBS / name)) for part in container["Command"]]
        log = (JOBS / f"{name}.{container['Name']}").open("wb")
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), check=False)
        status[container["Name"]] = done.returncode
        if container["Essential"] and done.returncode:
            return note(name, Status="FAILED", StatusReason="Essential container in task exited")
    return note(name, Status="SUCCEEDED")


def note(name, **members):
    """Change what Batch says of a job."""
    known = (
        json.loads(description(name).read_text()) if description(name).exists() else {"JobId": name, "JobName": name}
    )
    new = description(name).with_suffix(".new")
    new.write_text(json.dumps({**known, **members}))
    new.rename(description(name))


def description(name):
    """Where it is kept what Batch says of a job."""
    return JOBS / f"{name}.job"


def definition(arn):
    """Where a definition is kept."""
    return JOBS / (arn.removeprefix(ARN).replace(":", "-") + ".definition")


def environment():
    """A container has no credentials."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}


if __name__ == "__main__":
    work(*sys.argv[1:])

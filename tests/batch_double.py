"""AWS Batch in a Lambda: what the state machine would ask of Batch is done with processes of this machine.

It stands for `registerJobDefinition`, `submitJob.sync` and `deregisterJobDefinition`, which it tells apart by their
arguments. Containers are processes one after the other, their volume is a directory below `JOBS`.
"""

import json
import os
import pathlib
import subprocess

JOBS = pathlib.Path(os.environ.get("JOBS", "/nowhere"))
ARN = "arn:aws:batch:us-east-1:000000000000:job-definition/"


def handler(event, _context):
    """Answer as Batch does; a job that fails raises, as `.sync` does."""
    if "JobDefinitionName" in event:
        return register(event)
    if "JobQueue" in event:
        return submit(event)
    definition(event["JobDefinition"]).rename(definition(event["JobDefinition"]).with_suffix(".inactive"))
    return {}


def register(event):
    """Keep a definition."""
    arn = f"{ARN}{event['JobDefinitionName']}:1"
    definition(arn).write_text(json.dumps(event))
    return {"JobDefinitionArn": arn}


def submit(event):
    """Run the containers of a definition in the order of their dependencies; the essential one decides."""
    room = JOBS / event["JobName"]
    room.mkdir()
    (task,) = json.loads(definition(event["JobDefinition"]).read_text())["EcsProperties"]["TaskProperties"]
    status = {}
    for container in task["Containers"]:
        for dependency in container.get("DependsOn", []):
            if dependency["Condition"] == "SUCCESS" and status[dependency["ContainerName"]]:
                raise RuntimeError(f"container {dependency['ContainerName']} failed")
        command = [part.replace("/room", str(room)) for part in container["Command"]]
        log = (room.with_suffix(f".{container['Name']}")).open("wb")
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), check=False)
        status[container["Name"]] = done.returncode
        if container["Essential"] and done.returncode:
            raise RuntimeError("Essential container in task exited")
    return {"JobName": event["JobName"], "Status": "SUCCEEDED"}


def definition(arn):
    """Where a definition is kept."""
    return JOBS / (arn.removeprefix(ARN).replace(":", "-") + ".definition")


def environment():
    """A container has no credentials."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}

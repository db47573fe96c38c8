"""Jobs in AWS Batch: what a job is told, how it asks for its manifest, and how it went.

The containers of a job have no credentials, and they may begin hours and end days after they were ordered, when every
URL that was signed then has expired. So they know one address of this service with a secret in it, which leads to
a manifest with new URLs for as long as the run is active.
"""

import base64
import io
import json
import re
import secrets
import urllib.request
import zipfile
from collections.abc import Mapping
from typing import Any

from flowserverless import settings
from flowserverless.aws import clients
from flowserverless.domain import errors, fargate, plans, runs
from flowserverless.domain.templates import steps
from flowserverless.store import bucket

# Where all containers of a job have the run directory, and what else they leave each other.
ROOM = "/room"
# Number of the step, and the secret.
JOB = re.compile(r"\d{3}-[\w-]{32}", re.ASCII)
# Batch refuses less.
MIN_SECONDS = 60
MAX_OUTCOME_BYTES = 300_000
# The manifest brings the program along; its words are those of functions/run_step/runner/container.py.
BOOTSTRAP = """\
import base64, json, runpy, sys, tempfile, time, urllib.request
url, action, room = sys.argv[1:]
for pause in (1, 5, 20, 60, None):
    try:
        manifest = json.load(urllib.request.urlopen(url, timeout=60))
        break
    except OSError as error:
        if pause is None or getattr(error, 'code', 500) < 500:
            sys.exit(f'no manifest: {error}')
        time.sleep(pause)
program = tempfile.mkdtemp() + '/run_step.zip'
open(program, 'wb').write(base64.b64decode(manifest['program']))
sys.argv = ['run_step', action, url, room]
runpy.run_path(program, run_name='__main__')
"""


def order(run: runs.Run, step: plans.Step, seconds: int) -> dict[str, Any]:
    """What the state machine registers and submits as the job of a step that may take so many seconds."""
    job = f"{step.index:03d}-{secrets.token_urlsafe(24)}"
    bucket.write(bucket.job(run.id, job), b"")
    url = f"{settings.current().api_url}/runs/{run.id}/jobs/{job}"
    size = fargate.size(step.resources or steps.Resources())
    return {
        "name": f"{run.id}-{step.index}",
        "image": step.environment,
        "vcpu": f"{size.vcpu:g}",
        "memory": str(size.memory),
        "seconds": max(MIN_SECONDS, seconds),
        "fetch": ["python", "-c", BOOTSTRAP, url, "fetch", ROOM],
        "step": ["/bin/sh", f"{ROOM}/step.sh"],
        "deliver": ["python", "-c", BOOTSTRAP, url, "deliver", ROOM],
    }


def require(run_id: str, job: str) -> int:
    """The number of the step whose job this is. Raises NotFound unless it was ordered, also where there is no run."""
    if not JOB.fullmatch(job) or bucket.head(bucket.job(run_id, job)) is None:
        raise errors.NotFound("there is no such job")
    return int(job[:3])


def addition(run_id: str, index: int, seconds: int) -> dict[str, Any]:
    """What a job's manifest has beyond that of a Lambda: the program, and a form for how the step went."""
    key = bucket.outcome(run_id, index)
    return {
        "program": base64.b64encode(_program()).decode(),
        "outcome": {**bucket.form(key, seconds, MAX_OUTCOME_BYTES), "key": key},
    }


def outcome(run: runs.Run, told: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """How a step went: as the state machine was told or, for a job (`{"job": <number of the step>}`), as it left it."""
    if told is None or "job" not in told:
        return told
    kept = bucket.read(bucket.outcome(run.id, int(told["job"])), MAX_OUTCOME_BYTES)
    try:
        found = json.loads(kept or b"null")
    except ValueError:
        return None
    # What the program of a job runs on is not the Python of its image.
    return {**found, "python": None} if isinstance(found, dict) and _well_formed(found) else None


def _well_formed(found: Mapping[str, Any]) -> bool:
    reason = found.get("reason")
    return (
        (reason is None or (isinstance(reason, dict) and {"code", "detail"} <= reason.keys()))
        and isinstance(found.get("messages", []), list)
        and isinstance(found.get("exitCode"), int | None)
        and all(isinstance(found.get(name), str | None) for name in ("startedAt", "finishedAt"))
    )


def _program() -> bytes:
    """The program of `run_step` as a zip, as it is deployed but for the byte code."""
    place = clients.client("lambda").get_function(FunctionName=settings.current().run_step_function)["Code"]["Location"]
    with urllib.request.urlopen(place, timeout=20) as answer:  # noqa: S310
        return without_byte_code(answer.read())


def without_byte_code(program: bytes) -> bytes:
    """A zip of a program without what Python does not look for in a zip; that would be two thirds of it."""
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(program)) as whole, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as part:
        for entry in whole.infolist():
            if not entry.filename.endswith(".pyc"):
                part.writestr(entry, whole.read(entry))
    return kept.getvalue()

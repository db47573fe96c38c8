"""Results from outside: an external engine drops files and a marker into the inbox, and the waiting execution goes on."""

import os
import shlex
from datetime import datetime
from typing import Any

from flowserverless import settings
from flowserverless.domain import runs

Json = dict[str, Any]


def block(run: runs.Run, now: datetime) -> Json | None:
    """How to deliver the results of a run that an external engine executes; None for every other run.

    The form is a credential for this run's inbox until its deadline, so only its starter gets it.
    """
    if not run.active or run.executors != ("external",):
        return None
    # Signing needs S3, which starting a run otherwise does not.
    from flowserverless.store import files

    prefix = inbox(run.id)
    seconds = max(1, int((datetime.fromisoformat(run.deadline) - now).total_seconds()))
    form = files.form(prefix, seconds, settings.number("FILE_BYTES", 5_000_000_000))
    target = f"s3://{os.environ['BUCKET_NAME']}/{prefix}"
    return {
        "prefix": prefix,
        "upload": form,
        "curl": [_curl(form, prefix, "results.json", "@results.json"), _curl(form, prefix, "_SUCCESS", "{}")],
        "aws": [f"aws s3 cp results/ {target} --recursive", f"echo '{{}}' | aws s3 cp - {target}_SUCCESS"],
    }


def _curl(form: Json, prefix: str, name: str, content: str) -> str:
    fields = {**form["fields"], "key": prefix + name}
    given = " ".join(f"-F {shlex.quote(f'{field}={value}')}" for field, value in fields.items())
    return f"curl --fail-with-body {given} -F {shlex.quote('file=' + content)} {shlex.quote(form['url'])}"


def inbox(run_id: str) -> str:
    """The prefix below which an external engine delivers the results of a run."""
    return f"inbox/results/{run_id}/"

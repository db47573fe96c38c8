"""Says how to deliver the results of a run that an external engine executes: a form, and ready-made commands."""

import shlex
from datetime import datetime
from typing import Any

from flowserverless import settings
from flowserverless.domain import deliveries, moments, runs
from flowserverless.store import bucket

Json = dict[str, Any]
# What S3 takes in one POST.
MAX_POST_BYTES = 5 << 30
# Signature version 4 allows a week.
MAX_LINK_SECONDS = 7 * 86400


def block(run: runs.Run, user: str, now: datetime) -> Json | None:
    """How to deliver the results of a run that an external engine executes; None for every other run and user.

    The form is a credential for this run's inbox until its deadline, so only its starter gets it, and the link to
    the report on what was delivered. S3 refuses both earlier when the session of the function that signed them has
    ended, which takes hours; a repeat of the request with its Idempotency-Key signs new ones.
    """
    if not (run.active and run.external) or run.started_by != user:
        return None
    prefix = bucket.inbox(run.id)
    seconds = max(1, int((run.deadline - now).total_seconds()))
    form = bucket.form(prefix, seconds, min(settings.current().ingest_bytes, MAX_POST_BYTES))
    # The policy asks for the field, whatever is in it.
    form["fields"]["Content-Type"] = "application/octet-stream"
    target = f"s3://{bucket.bucket_name()}/{prefix}"
    every_file = "(cd results && find . -type f | cut -c 3- | while IFS= read -r file; do {} || exit; done)"
    report = bucket.report(bucket.inbox(run.id, deliveries.SUCCESS))
    return {
        "prefix": prefix,
        "expires": moments.text(run.deadline),
        "upload": form,
        "report": bucket.link(report, seconds=min(seconds, MAX_LINK_SECONDS)),
        "curl": [
            every_file.format(_post(form, f'{shlex.quote(prefix)}"$file"', '< "$file"')),
            f"echo '{{}}' | {_post(form, shlex.quote(bucket.inbox(run.id, deliveries.SUCCESS)), '')}".rstrip(),
        ],
        "aws": [
            f"aws s3 cp results/ {target} --recursive",
            f"echo '{{}}' | aws s3 cp - {target}{deliveries.SUCCESS}",
        ],
    }


def _post(form: Json, key: str, source: str) -> str:
    """A curl command that posts its standard input; `key` is quoted for the shell."""
    # --form-string, because -F gives a meaning to ';', '@' and '<'.
    given = [f"--form-string {shlex.quote(f'{name}={text}')}" for name, text in form["fields"].items() if name != "key"]
    parts = ["curl -sS --fail-with-body", *given, f"--form-string key={key}", "-F 'file=@-'"]
    return " ".join([*parts, shlex.quote(form["url"]), source])

"""The one S3 bucket: every key is made here. Bytes go between S3 and people by signed URLs, not through a function.

    key                                       what                                             comes from
    ----------------------------------------  -----------------------------------------------  ------------------------
    inbox/workflows/{name}.zip                package to publish                               organiser
    inbox/workflows/{name}.zip.report.json    what became of it                                publish_workflow
    inbox/results/{run}/{path}                result file of an external engine                who has the form
    inbox/results/{run}/{marker}              end of a delivery: _SUCCESS or _ERROR            who has the form
    inbox/results/{run}/{marker}.report.json  what became of it                                ingest_results
    workflows/{wf}/{version}/static/{path}    file of a package, as steps find it              publish_workflow
    workflows/{wf}/{version}/public/{path}    copy of one that anybody may download            publish_workflow
    uploads/{group}/{file}                    uploaded input; runs refer to it                 upload_file, its form
    runs/{run}/inputs/runs.json               post-processing: the ranked runs, for its steps  stage_step
    runs/{run}/inputs/snapshot.json           post-processing: the keys of their files         stage_step
    runs/{run}/manifests/{step}.json          step order                                       stage_step
    runs/{run}/jobs/{digest}                  that a job was ordered; empty                    stage_step
    runs/{run}/files/{path}                   result file                                      step, ingest_results
    runs/{run}/logs/{step}.txt                what a step printed                              step
    runs/{run}/trees/{step}.json              what a step did to the directory of its run      step
    runs/{run}/returned/{step}.json           what the function of a code step returned        step
    runs/{run}/outcomes/{step}.json           how the step of a job went                       step
    runs/{run}/canceled                       mark that a running step looks for; empty        cancel_run
    runs/{run}/delivery.json                  the delivery that was accepted                   ingest_results
    runs/{run}/archive.tar.gz                 all result files                                 update_run

Policies, events and lifecycle rules in template.yaml name prefixes too; tests/contract holds them against this.
"""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flowserverless import settings
from flowserverless.aws import clients
from flowserverless.domain import frozen

# Long enough for a slow start of a download, short enough that a leaked link is of little use.
LINK_SECONDS = 300
MAX_KEYS_PER_DELETE = 1000
PACKAGES = "inbox/workflows/"
DELIVERIES = "inbox/results/"
RUNS = "runs/"


@frozen.dataclass
class Stored:
    """An object as a listing shows it; `path` is its key without the prefix that was listed."""

    path: str
    key: str
    size: int
    modified: datetime


def bucket_name() -> str:
    """The name of the installation's bucket."""
    return settings.current().bucket_name


def origins() -> tuple[str, str]:
    """Where links lead, as scheme and host: S3 is asked at its own name, or at the bucket's."""
    scheme, _, host = str(clients.client("s3").meta.endpoint_url).partition("://")
    return f"{scheme}://{bucket_name()}.{host}", f"{scheme}://{host}"


def package(name: str) -> str:
    """Key of a package to publish."""
    return f"{PACKAGES}{name}.zip"


def package_name(key: str) -> str:
    """What a package is named, with the folder of the inbox that it lies in; elsewhere than there, without folders."""
    named = key.removeprefix(PACKAGES) if key.startswith(PACKAGES) else key.rsplit("/", 1)[-1]
    return named.removesuffix(".zip")


def inbox(run_id: str, path: str = "") -> str:
    """Key of what is delivered to a run: a result or a marker; without `path` the prefix of all."""
    return f"{DELIVERIES}{run_id}/{path}"


def delivered(key: str) -> tuple[str, str] | None:
    """The run and the path that the key of a delivered object stands for; None for other objects."""
    run_id, slash, path = key.removeprefix(DELIVERIES).partition("/")
    return (run_id, path) if key.startswith(DELIVERIES) and slash else None


def report(key: str) -> str:
    """Key of the report on a package or a marker."""
    return f"{key}.report.json"


def static(workflow: str, version: str, path: str) -> str:
    """Key of a static file of a published version."""
    return f"workflows/{workflow}/{version}/static/{path}"


def public(workflow: str, version: str, path: str) -> str:
    """Key of a file of a published version that anybody may download."""
    return f"workflows/{workflow}/{version}/public/{path}"


def upload(group: str, file: str) -> str:
    """Key of an uploaded input."""
    return f"uploads/{group}/{file}"


def run(run_id: str) -> str:
    """The prefix of all objects of a run, but of what is delivered to it."""
    return f"{RUNS}{run_id}/"


def ranked_runs(run_id: str) -> str:
    """Key of the list of ranked runs that the steps of a post-processing run read."""
    return f"{RUNS}{run_id}/inputs/runs.json"


def snapshot(run_id: str) -> str:
    """Key of the list of the files of ranked runs that a post-processing run reads."""
    return f"{RUNS}{run_id}/inputs/snapshot.json"


def step_order(run_id: str, step: int) -> str:
    """Key of what the runner of a step is told."""
    return f"{RUNS}{run_id}/manifests/{step:03d}.json"


def job(run_id: str, secret: str) -> str:
    """Key of an empty object by which a job's secret is known; only its digest is in the name."""
    return f"{RUNS}{run_id}/jobs/{hashlib.sha256(secret.encode()).hexdigest()}"


def result(run_id: str, path: str = "") -> str:
    """Key of a file of a run; without `path` the prefix of all."""
    return f"{RUNS}{run_id}/files/{path}"


def log(run_id: str, step: int) -> str:
    """Key of the log of a step."""
    return f"{RUNS}{run_id}/logs/{step:03d}.txt"


def tree(run_id: str, step: int) -> str:
    """Key of what a step did to the directory of its run."""
    return f"{RUNS}{run_id}/trees/{step:03d}.json"


def returned(run_id: str, step: int) -> str:
    """Key of what the function of a code step returned to later steps."""
    return f"{RUNS}{run_id}/returned/{step:03d}.json"


def outcome(run_id: str, step: int) -> str:
    """Key of how the step of a job went."""
    return f"{RUNS}{run_id}/outcomes/{step:03d}.json"


def cancel_mark(run_id: str) -> str:
    """Key of the empty object that tells a running step that its run is over."""
    return f"{RUNS}{run_id}/canceled"


def delivery(run_id: str) -> str:
    """Key of the delivery that was accepted for a run."""
    return f"{RUNS}{run_id}/delivery.json"


def archive(run_id: str) -> str:
    """Key of the archive of a run's files."""
    return f"{RUNS}{run_id}/archive.tar.gz"


def is_missing(error: Exception) -> bool:
    """Whether S3 says that there is no such object: in a word, or to a HEAD, whose answer has no body, in a number."""
    return clients.error_code(error) in ("NoSuchKey", "404", "NotFound")


def listing(prefix: str) -> Iterator[Stored]:
    """Every object below a prefix, in key order."""
    paginator = clients.client("s3").get_paginator("list_objects_v2")
    for page in paginator.paginate(Bucket=bucket_name(), Prefix=prefix):
        for found in page.get("Contents", []):
            yield Stored(found["Key"].removeprefix(prefix), found["Key"], found["Size"], found["LastModified"])


def read(key: str, most: int) -> bytes | None:
    """Up to `most` bytes of an object; None when there is none."""
    found = read_dated(key, most)
    return found[0] if found else None


def read_dated(key: str, most: int) -> tuple[bytes, datetime] | None:
    """Up to `most` bytes of an object, and when it was written; None when there is none."""
    answer = _get(key)
    return (answer["Body"].read(most), answer["LastModified"]) if answer else None


def _get(key: str) -> dict[str, Any] | None:
    s3 = clients.client("s3")
    try:
        answer: dict[str, Any] = s3.get_object(Bucket=bucket_name(), Key=key)
    except s3.exceptions.ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer


def head(key: str) -> dict[str, Any] | None:
    """Size, type and checksum of an object; None when there is none."""
    s3 = clients.client("s3")
    try:
        answer: dict[str, Any] = s3.head_object(Bucket=bucket_name(), Key=key, ChecksumMode="ENABLED")
    except s3.exceptions.ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer


def write(key: str, body: Any, media_type: str = "application/octet-stream") -> None:
    """Put an object."""
    clients.client("s3").put_object(Bucket=bucket_name(), Key=key, Body=body, ContentType=media_type)


def write_upload(key: str, body: bytes, media_type: str, sha256: str) -> None:
    """Put an uploaded input, with the checksum by which `is_complete` knows it without reading it."""
    checksum = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode()}
    clients.client("s3").put_object(Bucket=bucket_name(), Key=key, Body=body, ContentType=media_type, **checksum)


def write_json(key: str, document: Any) -> None:
    """Put a JSON document."""
    write(key, json.dumps(document, ensure_ascii=False).encode(), "application/json")


def link(
    key: str,
    name: str | None = None,
    media_type: str | None = None,
    seconds: int = LINK_SECONDS,
    head: bool = False,
) -> str:
    """A signed URL to GET an object, or to HEAD it; with `name` it is saved so (RFC 6266, RFC 8187)."""
    parameters = {"Bucket": bucket_name(), "Key": key}
    if name:
        parameters["ResponseContentDisposition"] = disposition(name)
    if media_type:
        parameters["ResponseContentType"] = media_type
    operation = "head_object" if head else "get_object"
    url: str = clients.client("s3").generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)
    return url


def disposition(name: str) -> str:
    """A Content-Disposition that keeps any file name: ASCII for old clients, UTF-8 for the others."""
    plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\' else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{urllib.parse.quote(name, safe='')}"


def form(key: str, seconds: int, most: int, least: int = 0, **fields: str) -> dict[str, Any]:
    """A signed form to POST objects without credentials: {url, fields}.

    `key` is exact, or a prefix when it ends with '/'; S3 refuses bodies outside `least`..`most` bytes and
    anything after `seconds`.
    """
    conditions: list[Any] = [["content-length-range", least, most]]
    named = key + "${filename}" if key.endswith("/") else key
    if key.endswith("/"):
        conditions += [["starts-with", "$key", key], ["starts-with", "$Content-Type", ""]]
    answer: dict[str, Any] = clients.client("s3").generate_presigned_post(
        bucket_name(),
        named,
        Fields=dict(fields),
        Conditions=[*conditions, *({k: v} for k, v in fields.items())],
        ExpiresIn=seconds,
    )
    return answer


def remove(keys: list[str]) -> None:
    """Delete objects; absent ones are no error. Raises OSError when S3 kept any."""
    for start in range(0, len(keys), MAX_KEYS_PER_DELETE):
        batch = [{"Key": key} for key in keys[start : start + MAX_KEYS_PER_DELETE]]
        answer = clients.client("s3").delete_objects(Bucket=bucket_name(), Delete={"Objects": batch, "Quiet": True})
        if answer.get("Errors"):
            raise OSError(f"{len(answer['Errors'])} objects were not deleted: {answer['Errors'][0]}")


def is_complete(key: str, size: int, sha256: str | None) -> bool:
    """Whether an announced object is there with its announced size and SHA-256 (hex).

    The signed form makes S3 verify and keep the checksum; where S3 kept none, the bytes are read.
    """
    found = head(key)
    if found is None or found["ContentLength"] != size:
        return False
    if sha256 is None:
        return True
    kept = found.get("ChecksumSHA256")
    if kept:
        return base64.b64decode(kept).hex() == sha256
    # It may be deleted at this moment.
    answer = _get(key)
    return answer is not None and _digest(answer) == sha256


def digest(key: str) -> str:
    """The SHA-256 (hex) of an object, by reading it."""
    return _digest(clients.client("s3").get_object(Bucket=bucket_name(), Key=key))


def _digest(answer: dict[str, Any]) -> str:
    found = hashlib.sha256()
    for chunk in answer["Body"].iter_chunks(1 << 20):
        found.update(chunk)
    return found.hexdigest()


def some(prefix: str) -> list[str]:
    """Up to a thousand keys below a prefix; [] when none is left."""
    answer = clients.client("s3").list_objects_v2(Bucket=bucket_name(), Prefix=prefix, MaxKeys=MAX_KEYS_PER_DELETE)
    return [found["Key"] for found in answer.get("Contents", [])]


def tail(key: str, size: int) -> bytes | None:
    """The last `size` bytes of an object; None when there is none."""
    answer = _get(key)
    if answer is None:
        return None
    body: bytes = answer["Body"].read()[max(0, answer["ContentLength"] - size) :]
    return body

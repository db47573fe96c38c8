"""Objects in S3: every key is made here; bytes go between S3 and people by signed URLs, not through a function."""

import base64
import hashlib
import json
import os
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flowserverless.aws import clients

# Long enough for a slow start of a download, short enough that a leaked link is of little use.
LINK_SECONDS = 300
MAX_KEYS_PER_DELETE = 1000


@dataclass(frozen=True)
class Stored:
    """An object as a listing shows it; `path` is its key without the prefix that was listed."""

    path: str
    key: str
    size: int
    modified: datetime


def bucket_name() -> str:
    """The name of the installation's bucket."""
    return os.environ["BUCKET_NAME"]


def origins() -> tuple[str, str]:
    """Where links lead, as scheme and host: S3 is asked at its own name, or at the bucket's."""
    scheme, _, host = str(clients.client("s3").meta.endpoint_url).partition("://")
    return f"{scheme}://{bucket_name()}.{host}", f"{scheme}://{host}"


def static(workflow: str, version: str, path: str = "") -> str:
    """Key of a static file of a published version."""
    return f"workflows/{workflow}/{version}/static/{path}"


def public(workflow: str, version: str, path: str) -> str:
    """Key of a file of a published version that anybody may download."""
    return f"workflows/{workflow}/{version}/public/{path}"


def upload(group: str, file: str) -> str:
    """Key of an uploaded input."""
    return f"uploads/{group}/{file}"


def run(run_id: str, place: str = "") -> str:
    """Key of something of a run: files/..., logs/..., archive.tar.gz, canceled, manifests/..."""
    return f"runs/{run_id}/{place}"


def log(run_id: str, step: int) -> str:
    """Key of the log of a step."""
    return run(run_id, f"logs/{step:03d}.txt")


def returned(run_id: str, step: int) -> str:
    """Key of what the function of a code step returned to later steps."""
    return run(run_id, f"returned/{step:03d}.json")


def tree(run_id: str, step: int) -> str:
    """Key of what a step did to the directory of its run."""
    return run(run_id, f"trees/{step:03d}.json")


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
        if clients.error_code(error) in ("NoSuchKey", "404"):
            return None
        raise
    return answer


def head(key: str) -> dict[str, Any] | None:
    """Size, type and checksum of an object; None when there is none."""
    s3 = clients.client("s3")
    try:
        answer: dict[str, Any] = s3.head_object(Bucket=bucket_name(), Key=key, ChecksumMode="ENABLED")
    except s3.exceptions.ClientError as error:
        if clients.error_code(error) in ("NoSuchKey", "404", "NotFound"):
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

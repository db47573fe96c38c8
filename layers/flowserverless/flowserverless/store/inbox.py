"""The inbox of external engines in S3, and the way from there into a run: copies that S3 makes by itself."""

import functools
import json
from collections.abc import Mapping
from concurrent import futures
from dataclasses import asdict, field, replace
from typing import Any

from flowserverless.aws import clients
from flowserverless.domain import deliveries, errors, frozen
from flowserverless.store import bucket

# S3 copies 5 GiB in one request at most, but then answers only after a minute; parts are copied side by side.
MAX_COPY_BYTES = 256 << 20
PART = 128 << 20
MAX_PARTS = 10_000
# As many as botocore keeps connections.
THREADS = 10
_CHANGED = ("PreconditionFailed", "412")


@frozen.dataclass
class Delivery:
    """The one delivery that a run gets: which objects, as they were when it was accepted, and what the marker said.

    `written` are files that the marker stands for, by path; `done` says that the execution goes on with it; `refused`
    is why the run ends without anything of it.
    """

    marker: str
    etag: str
    modified: str
    files: tuple[deliveries.File, ...]
    written: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    done: bool = False
    refused: str | None = None

    def is_of(self, marker: deliveries.Marker, head: dict[str, Any]) -> bool:
        """Whether this marker, as `bucket.head` shows it, is the one that the delivery was accepted for."""
        return (self.marker, self.etag, self.modified) == (marker.name, *identity(head))


def marker(key: str) -> deliveries.Marker | None:
    """The marker that has a key."""
    found = bucket.delivered(key)
    return deliveries.marker(*found) if found else None


def identity(head: dict[str, Any]) -> tuple[str, str]:
    """What tells one writing of an object from the next."""
    return head["ETag"], head["LastModified"].isoformat()


def listing(run_id: str) -> list[deliveries.File]:
    """Every object in the inbox of a run, but our own reports."""
    prefix = bucket.inbox(run_id)
    reports = {bucket.report(bucket.inbox(run_id, name)) for name in deliveries.MARKERS}
    pages = clients.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket.bucket_name(), Prefix=prefix)
    return [
        deliveries.File(found["Key"].removeprefix(prefix), found["Size"], found["ETag"])
        for page in pages
        for found in page.get("Contents", ())
        if found["Key"] not in reports
    ]


def record(run_id: str, delivery: Delivery) -> Delivery:
    """Write down that this is the delivery of the run, or learn which one it is: whoever is first decides.

    From then on the delivery can be carried out by anybody, any number of times, with the same result.
    """
    s3 = clients.client("s3")
    try:
        s3.put_object(Bucket=bucket.bucket_name(), Key=bucket.delivery(run_id), Body=_json(delivery), IfNoneMatch="*")
    except s3.exceptions.ClientError as error:
        # 409: another request for the same key was under way, and has won or will be repeated.
        if clients.error_code(error) not in (*_CHANGED, "ConditionalRequestConflict"):
            raise
    recorded = recorded_delivery(run_id)
    if recorded is None:
        raise OSError(f"two deliveries of run {run_id} were in each other's way; a repeat decides")
    return recorded


def recorded_delivery(run_id: str) -> Delivery | None:
    """The delivery that was accepted for a run."""
    body = bucket.read(bucket.delivery(run_id), 1 << 26)
    if body is None:
        return None
    document = json.loads(body)
    listed = tuple(deliveries.File(**each) for each in document["files"])
    return Delivery(**{**document, "files": listed, "messages": tuple(document["messages"])})


def conclude(run_id: str, delivery: Delivery) -> None:
    """Note that the execution goes on with the delivery: from now on nothing of the run may change."""
    bucket.write(bucket.delivery(run_id), _json(replace(delivery, done=True)), "application/json")


def withdraw(run_id: str) -> None:
    """Forget a delivery that turned out not to be what was accepted, so that the next marker can be."""
    bucket.remove([bucket.delivery(run_id)])


def _json(delivery: Delivery) -> bytes:
    return json.dumps(asdict(delivery)).encode()


def move(run_id: str, delivery: Delivery) -> None:
    """Copy delivered files to where a run has its files; what is not in the inbox any more was copied before.

    Raises Conflict when an object is not the one that was accepted.
    """
    small: list[deliveries.File] = []
    with futures.ThreadPoolExecutor(THREADS) as pool:
        for file in delivery.files:
            if file.size > MAX_COPY_BYTES:
                _copy_parts(pool, run_id, file)
            else:
                small.append(file)
        # Taking the results one by one raises what a thread raised.
        for _ in pool.map(functools.partial(_copy, run_id), small):
            pass
    for path, content in delivery.written.items():
        bucket.write(bucket.result(run_id, path), content.encode())


def remove(run_id: str, delivery: Delivery) -> None:
    """Delete what was delivered from the inbox, the marker last, because it leads here; reports stay."""
    bucket.remove([bucket.inbox(run_id, file.path) for file in delivery.files])
    bucket.remove([bucket.inbox(run_id, delivery.marker)])


def _source(run_id: str, file: deliveries.File) -> dict[str, Any]:
    key = bucket.inbox(run_id, file.path)
    return {"CopySource": {"Bucket": bucket.bucket_name(), "Key": key}, "CopySourceIfMatch": file.etag}


def _target(run_id: str, file: deliveries.File) -> dict[str, Any]:
    return {"Bucket": bucket.bucket_name(), "Key": bucket.result(run_id, file.path)}


def _copy(run_id: str, file: deliveries.File) -> None:
    s3 = clients.client("s3")
    # Replaced, because a Content-Encoding or a redirect among the metadata would spoil the download.
    plain = {"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}
    try:
        s3.copy_object(
            **_source(run_id, file), **_target(run_id, file), **plain, ContentType="application/octet-stream"
        )
    except s3.exceptions.ClientError as error:
        _explain(file, error)


def _copy_parts(pool: futures.Executor, run_id: str, file: deliveries.File) -> None:
    s3, target = clients.client("s3"), _target(run_id, file)
    size = max(PART, -(-file.size // MAX_PARTS))
    ranges = [
        (number, f"bytes={start}-{min(start + size, file.size) - 1}")
        for number, start in enumerate(range(0, file.size, size), 1)
    ]
    upload = s3.create_multipart_upload(**target, ContentType="application/octet-stream")["UploadId"]

    def copy(part: tuple[int, str]) -> dict[str, Any]:
        number, of = part
        source = _source(run_id, file)
        answer = s3.upload_part_copy(**source, **target, UploadId=upload, PartNumber=number, CopySourceRange=of)
        return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    copies = [pool.submit(copy, part) for part in ranges]
    try:
        parts = [one.result() for one in copies]
        s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})
    except BaseException as error:
        # A part that arrives after its upload was aborted stays, and is paid for.
        futures.wait([one for one in copies if not one.cancel()])
        s3.abort_multipart_upload(**target, UploadId=upload)
        if not isinstance(error, s3.exceptions.ClientError):
            raise
        _explain(file, error)


def _explain(file: deliveries.File, error: Exception) -> None:
    """Nothing for a file that was moved before, Conflict for one that was written again; raises everything else."""
    if bucket.is_missing(error):
        return
    if clients.error_code(error) in _CHANGED:
        raise errors.Conflict(f"'{file.path}' was written again while it was read", errors.FILE_CHANGED) from error
    raise error

"""Publish a workflow as an organiser does: drop its package into the bucket, read the report beside it."""

from __future__ import annotations

import io
import json
import pathlib
import stat
import time
import zipfile
from typing import Any

from local import packing, stack

REPORT_SECONDS = 120.0
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""


class NoReport(Exception):
    """The service did not look at the package in time."""


def publish(here: stack.Stack, folder: pathlib.Path, name: str) -> dict[str, Any]:
    """Drop `folder` as the package of workflow `name`, and return the service's report. Raises NoReport.

    An older report is removed first, because one of the same second could not be told from the new one.
    """
    s3 = here.client("s3")
    key = f"inbox/workflows/{name}.zip"
    report = f"{key}.report.json"
    s3.delete_object(Bucket=here.bucket, Key=report)
    s3.put_object(Bucket=here.bucket, Key=key, Body=package(folder), ContentType="application/zip")
    deadline = time.monotonic() + REPORT_SECONDS
    while time.monotonic() < deadline:
        if s3.list_objects_v2(Bucket=here.bucket, Prefix=report)["KeyCount"]:
            written: dict[str, Any] = json.load(s3.get_object(Bucket=here.bucket, Key=report)["Body"])
            return written
        time.sleep(0.2)
    raise NoReport(f"no report after {REPORT_SECONDS:.0f} s at s3://{here.bucket}/{report}")


def package(folder: pathlib.Path) -> bytes:
    """A folder as a zip file; equal folders give equal bytes. What is in it is decided by packing.collect.

    Of a file's mode it keeps whether its owner may execute it: the rest depends on who checked the folder out.
    """
    packed = packing.collect(folder)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, path in packed.files.items():
            executable = path.stat().st_mode & stat.S_IXUSR
            archive.writestr(_member(inside, stat.S_IFREG | (0o755 if executable else 0o644)), path.read_bytes())
        for inside in sorted(packed.folders):
            archive.writestr(_member(inside, stat.S_IFDIR | 0o755), b"")
    return buffer.getvalue()


def _member(inside: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(inside, EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = mode << 16
    return member


def text(report: dict[str, Any]) -> str:
    """A report as people read it."""
    faults = [f"  {fault['place']}: {fault['message']}" for fault in report.get("faults", [])]
    faults += [f"  warning: {warning['place']}: {warning['message']}" for warning in report.get("warnings", [])]
    version = f" as version {report['version']}" if report.get("version") else ""
    return "\n".join([f"workflow {report['workflow']} is {report['status']}{version}", *faults])

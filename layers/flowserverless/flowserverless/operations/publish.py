"""Publishes a workflow: reads the zip whole, stores its files under the version, then makes the version current."""

import io
import json
import platform
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import IO, Any

from flowserverless import logs, settings
from flowserverless.aws import clients, step_functions
from flowserverless.domain import errors, ids, validation, versions
from flowserverless.domain.templates import feasibility
from flowserverless.operations import post_process
from flowserverless.packages import package
from flowserverless.store import bucket, version_items, workflow_items

MAX_BYTES = 200_000_000
MAX_FILES = 2000


def workflow(event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Publish the package that an EventBridge event or `{"key": ...}` names; answers the report written beside it.

    A refused package changes nothing. The same package once more is `unchanged`: its version is the digest of what
    is in it, so events that come twice do no harm. `{"key": ..., "workflow": ...}` publishes under another id. A zip in
    a folder of the inbox is refused for its name: it would be published in the place of another one. Warnings refuse
    nothing.
    """
    key = str(event["detail"]["object"]["key"] if "detail" in event else event["key"])
    workflow = str(event.get("workflow") or bucket.package_name(key))
    report: dict[str, Any] = {"status": "rejected", "workflow": workflow, "version": None, "faults": [], "warnings": []}
    try:
        report |= _publish(workflow, key, now)
    except validation.Faults as found:
        report |= {"faults": _listed(found.faults), "warnings": _listed(found.warnings)}
    bucket.write_json(bucket.report(key), report)
    return report


def _listed(noted: Iterable[validation.Fault]) -> list[dict[str, str]]:
    return [{"place": fault.place, "message": fault.message} for fault in noted]


def _publish(workflow: str, key: str, now: datetime) -> dict[str, Any]:
    if not ids.is_name(workflow):
        detail = "a workflow's id has 1 to 32 letters, digits and underscores; the zip is named after it"
        raise validation.Faults([validation.Fault("name", detail)])
    package = _read(key)
    return _release(workflow, package, now) | {"warnings": _listed(package.warnings)}


def _release(workflow: str, package: package.Package, now: datetime) -> dict[str, Any]:
    version = package.digest[:16]
    listed = [(target, package.size(target)) for target in sorted(package.files)]
    published = versions.Version(
        workflow=workflow,
        id=version,
        name=package.name,
        description=package.description,
        instructions=package.instructions,
        document=package.document,
        files=listed,
        executables=tuple(package.executables),
        folders=tuple(package.folders),
        public=[(path, package.public_size(path)) for path in package.public],
        published_at=now,
    )
    _check_size(published)
    if _current(workflow) == version:
        return {"status": "unchanged", "version": version}
    _store(workflow, version, package)
    published, rebuild = version_items.publish(published)
    if rebuild:
        step_functions.rebuild_ranking(workflow, published.board or version)
    else:
        _draw(workflow, now)
    return {"status": "accepted", "version": version}


def _draw(workflow: str, now: datetime) -> None:
    """Post-processing that is another now is run for the ranking that there is; if not by us, by the reconciler."""
    with logs.left_to_the_reconciler("post-processing not started", workflow=workflow):
        post_process.start_if_owed(workflow, now)


def _current(workflow: str) -> str | None:
    try:
        return workflow_items.get(workflow).version
    except errors.NotFound:
        return None


def _read(key: str) -> package.Package:
    found = bucket.head(key)
    if found is None:
        raise validation.Faults([validation.Fault("zip", f"there is no object '{key}'")])
    if found["ContentLength"] > MAX_BYTES:
        raise validation.Faults([validation.Fault("zip", f"has more than {MAX_BYTES} bytes")])
    body = bucket.read(key, MAX_BYTES)
    # All functions have the same runtime, so this is the Python of the steps too.
    python = platform.python_version()
    return package.read(io.BytesIO(body or b""), MAX_BYTES, MAX_FILES, settings.current().executors, python=python)


def _check_size(published: versions.Version) -> None:
    kept = [published.files, published.executables or None, published.folders or None, published.public or None]
    content = [published.document, *kept, published.name, published.description, published.instructions]
    size = len(json.dumps(content, ensure_ascii=False).encode())
    most = feasibility.MAX_DOCUMENT_BYTES
    if size > most:
        detail = f"template, instructions and list of files take {size} bytes, more than {most}"
        raise validation.Faults([validation.Fault("template", detail)])


def _store(workflow: str, version: str, package: package.Package) -> None:
    """Upload the files; a version that is not current yet is seen by nobody, so a repeat may write again."""
    for target in package.files:
        _put(bucket.static(workflow, version, target), package.open(target))
    for path in package.public:
        _put(bucket.public(workflow, version, path), package.open_public(path))


def _put(key: str, stream: IO[bytes]) -> None:
    with stream:
        body = stream.read()
    clients.client("s3").put_object(Bucket=bucket.bucket_name(), Key=key, Body=body)

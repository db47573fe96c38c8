"""Makes presigned URLs for downloads, because no file passes through a function."""

from flowserverless.domain import errors, kept_files, public_files, runs, uploads
from flowserverless.store import bucket, run_items, upload_items, version_items


def file(run: runs.Run, file_id: str, head: bool) -> str:
    """A signed URL of a result file; its number leads to the page of the listing. Raises NotFound."""
    unknown = errors.NotFound(f"run {run.id} has no file '{file_id[:100]}'")
    place = kept_files.place(file_id)
    if place is None:
        raise unknown
    page, index = place
    found = run_items.files_page(run, page)
    if index >= len(found) or found[index].id != file_id:
        raise unknown
    result = found[index]
    return bucket.link(bucket.result(run.id, result.path), kept_files.saved_as(result), result.media_type, head=head)


def archive(run: runs.Run, name: str, head: bool) -> str:
    """A signed URL of the run's archive. Raises Conflict while the run is active, NotFound where there is none."""
    if run.active:
        raise errors.Conflict(f"run {run.id} is {run.state}; its archive is built when it ends", errors.RUN_IS_ACTIVE)
    if run.archive is None or run.archive.size is None:
        why = run.archive.detail if run.archive and run.archive.detail else "it left no files"
        raise errors.NotFound(f"run {run.id} has no archive: {why}", errors.NO_ARCHIVE)
    return bucket.link(bucket.archive(run.id), name, "application/gzip", head=head)


def public(workflow: str, file_id: str, head: bool) -> str:
    """A signed URL of a public file of the workflow's current version. Raises NotFound."""
    published = version_items.get(workflow)
    path = public_files.named(published.public, file_id)
    key = bucket.public(published.workflow, published.id, path)
    return bucket.link(key, path.rpartition("/")[2], kept_files.media_type(path), head=head)


def upload(kept: uploads.Upload, head: bool) -> str:
    """A signed URL of an uploaded file. Raises Conflict before it has arrived."""
    arrived = upload_items.arrived(kept)
    media_type = arrived.media_type or "application/octet-stream"
    return bucket.link(bucket.upload(arrived.group, arrived.id), arrived.name, media_type, head=head)

"""Loads the run directory: as a step finds it, and as the run left it.

The package, the uploads and the trees of the steps say it (see `domain/run_directory.py`). The listing of what there
is in S3 says it only where the tree of a step is missing: S3 keeps whatever was ever written, deleted or not.
"""

import functools
import json
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import replace
from datetime import datetime

from flowserverless.domain import plans, result_files, run_directory, runs, versions
from flowserverless.operations import post_process
from flowserverless.store import bucket

READERS = 8


def begun(run: runs.Run, version: versions.Version, index: int) -> run_directory.Directory:
    """The directory as step `index` finds it."""
    return _after(run, version, index, lambda: stored(run.id))


def left(
    run: runs.Run,
    version: versions.Version,
    found: Mapping[str, run_directory.Stored],
) -> run_directory.Directory:
    """The directory as a run left it whose steps will do nothing any more; `found` is what is in S3.

    It has those files only that the run itself wrote, and that are there.
    """
    count = sum(step.begun for step in run.steps)
    if run.external or not count:
        now = run_directory.with_stored(run_directory.Directory(), functools.partial(bucket.result, run.id), found)
    else:
        now = _after(run, version, count, lambda: found)
    own = {
        path: replace(file, size=found[path].size)
        for path, file in now.files.items()
        if path in found and file.key == bucket.result(run.id, path)
    }
    return replace(now, files=own)


def stored(run_id: str) -> dict[str, run_directory.Stored]:
    """All that the steps of a run ever wrote, without names that only a forged upload can have made."""
    listed = {file.path: file for file in bucket.listing(bucket.result(run_id))}
    named = result_files.deliverable((file.path, file.size) for file in listed.values())
    return {path: run_directory.Stored(size, listed[path].modified.timestamp()) for path, size in named.items()}


def _after(
    run: runs.Run,
    version: versions.Version,
    count: int,
    found: Callable[[], Mapping[str, run_directory.Stored]],
) -> run_directory.Directory:
    steps = plans.of_run(run, version.template)[:count]
    with futures.ThreadPoolExecutor(READERS) as pool:
        read = list(pool.map(functools.partial(_tree, run.id), range(count)))
    done = [run_directory.Step(step.fence, tree) for step, tree in zip(steps, read, strict=True)]
    return run_directory.after(
        _first(run, version), done, functools.partial(bucket.result, run.id), functools.cache(found)
    )


def _first(run: runs.Run, version: versions.Version) -> run_directory.Directory:
    """The directory before the first step: uploads lie over the files of the package.

    All files of a package are of the moment when it was published, and uploads of that when the run was started: later,
    as `make` and the like want what they are made from.
    """
    executable = frozenset(version.executables)
    moment, started = _nanoseconds(version.published_at), _nanoseconds(run.created_at)
    found = {
        path: run_directory.File(bucket.static(version.workflow, version.id, path), size, path in executable, moment)
        for path, size in version.files
    }
    if run.group is None:
        found |= {path: run_directory.File(key, size, False, started) for path, key, size in post_process.snapshot(run)}
    else:
        for file in plans.bound(run)[1].files:
            known = run.uploads.get(file.file_id)
            size = known.size if known else None
            found[file.target] = run_directory.File(bucket.upload(run.group, file.file_id), size, False, started)
    return run_directory.Directory(found, frozenset(version.folders))


def _tree(run_id: str, index: int) -> run_directory.Tree | None:
    found = bucket.read_dated(bucket.tree(run_id, index), run_directory.MAX_BYTES)
    if found is None:
        return None
    body, at = found
    try:
        return run_directory.parse(json.loads(body), at.timestamp())
    except (ValueError, RecursionError):
        return None


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9

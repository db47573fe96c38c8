"""Makes the JSON that people are shown from runs, groups and workflows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flowserverless.api import handles
from flowserverless.domain import frozen, groups, moments, runs, uploads, users, workflows
from flowserverless.domain.ranking import standing


@frozen.dataclass
class Beside:
    """What does not stand in a run: its user's name, its values on the board that people see, its place there."""

    username: str | None = None
    results: Sequence[Mapping[str, Any]] | None = None
    place: standing.Place | None = None


NOTHING = Beside()


def present(**fields: Any) -> Any:
    """A JSON object without what there is not."""
    return {name: value for name, value in fields.items() if value is not None}


def file(of: runs.ResultFile) -> handles.FileHandle:
    """A result file."""
    handle: handles.FileHandle = present(
        id=of.id,
        name=of.name,
        size=of.size,
        mediaType=of.media_type,
        sha256=of.sha256,
        title=of.title,
        caption=of.caption,
        format=of.format,
        widget=of.widget,
    )
    return handle


def _text(moment: datetime | None) -> str | None:
    return moments.text(moment) if moment else None


def step(of: runs.Step) -> handles.StepHandle:
    """A step of a run."""
    handle: handles.StepHandle = present(
        name=of.name,
        state=str(of.state),
        startedAt=_text(of.started_at),
        finishedAt=_text(of.finished_at),
        exitCode=of.exit_code,
        python=of.python,
    )
    return handle


def run(of: runs.Run, beside: Beside = NOTHING, ingest: handles.Json | None = None) -> handles.RunHandle:
    """A run's handle; `files` where it ended, as flowServ has them, and `messages`.

    A success has messages only if something of it was not delivered.
    """
    final = not of.active
    failed = final and not of.succeeded
    handle: handles.RunHandle = present(
        id=of.id,
        state=str(of.state),
        createdAt=moments.text(of.created_at),
        startedAt=_text(of.started_at),
        finishedAt=_text(of.finished_at),
        deadline=moments.text(of.deadline),
        workflowId=of.workflow,
        workflowVersion=of.version,
        groupId=of.group,
        arguments=list(of.arguments),
        parameters=None if of.post_processing else list(of.parameters),
        steps=[step(one) for one in of.steps],
        python=next((one.python for one in of.steps if one.python), None),
        messages=list(of.messages) if failed or of.messages else None,
        reason={"code": of.reason.code, "detail": of.reason.detail} if of.reason else None,
        files=[file(one) for one in of.files] if final else None,
        fileCount=of.file_count if final else None,
        archive=present(size=of.archive.size, detail=of.archive.detail) if of.archive else None,
        rankingVersion=of.ranking_version,
        ingest=ingest,
        **_contribution(of, beside),
    )
    return handle


def started_run(of: runs.Run, who: users.Caller, ingest: handles.Json | None) -> handles.RunHandle:
    """A run that the caller started, or asked once more to be started."""
    return run(of, Beside(who.name if of.started_by == who.user else None), ingest)


def run_line(of: runs.Run) -> handles.RunLine:
    """As much of a run in a listing as flowServ shows."""
    return {"id": of.id, "state": str(of.state), "createdAt": moments.text(of.created_at)}


def full_run_line(of: runs.Run, beside: Beside) -> handles.RunLine:
    """A run in a listing, with all that is read with it."""
    line: handles.RunLine = present(
        **run_line(of),
        startedAt=_text(of.started_at),
        finishedAt=_text(of.finished_at),
        reason={"code": of.reason.code, "detail": of.reason.detail} if of.reason else None,
        **_contribution(of, beside),
    )
    return line


def _contribution(of: runs.Run, beside: Beside) -> handles.Json:
    """Who started a run with which files, and what came of it."""
    told: handles.Json = present(
        startedBy=present(id=of.started_by, username=beside.username) if of.started_by else None,
        inputs=[present(id=file, name=upload.name) for file, upload in of.uploads.items()] or None,
        results=beside.results,
        ranking=_ranking(beside.place) if beside.place else None,
    )
    return told


def _ranking(of: standing.Place) -> handles.RankingStatus:
    status: handles.RankingStatus = present(
        status=str(of.status), code=of.code, detail=of.detail, by=of.by, rank=of.rank
    )
    return status


def upload(of: uploads.Upload, form: handles.Json | None = None) -> handles.UploadHandle:
    """An uploaded file; an announced one that has not arrived says so."""
    handle: handles.UploadHandle = present(
        id=of.id,
        name=of.name,
        createdAt=moments.text(of.created_at),
        size=of.size,
        sha256=of.sha256,
        state="PENDING" if of.pending else None,
        upload=form,
    )
    return handle


def group(
    of: groups.Group,
    members: Mapping[str, str],
    parameters: Sequence[handles.Json],
    files: Sequence[uploads.Upload] = (),
    of_runs: Sequence[handles.RunLine] | None = None,
) -> handles.GroupHandle:
    """A group's handle; `members` are {id: name}."""
    handle: handles.GroupHandle = {
        "id": of.id,
        "name": of.name,
        "workflow": of.workflow,
        "owner": {"id": of.owner, "username": members.get(of.owner, "")},
        "members": [{"id": user, "username": name} for user, name in sorted(members.items())],
        "parameters": list(parameters),
        "files": [upload(one) for one in files],
        "config": of.config,
    }
    if of_runs is not None:
        handle["runs"] = list(of_runs)
    return handle


def group_from_outside(of: groups.Group) -> handles.GroupHandle:
    """A group's handle as who has just left it may see it: what a leaderboard shows, and nothing else."""
    return {
        "id": of.id,
        "name": of.name,
        "workflow": of.workflow,
        "members": [],
        "parameters": [],
        "files": [],
        "config": None,
    }


def group_line(of: groups.Line) -> handles.GroupLine:
    """A group in a listing."""
    return {"id": of.id, "name": of.name, "workflow": of.workflow}


def workflow_line(of: workflows.Line) -> handles.WorkflowLine:
    """A workflow in a listing."""
    line: handles.WorkflowLine = present(id=of.id, name=of.name, description=of.description)
    return line

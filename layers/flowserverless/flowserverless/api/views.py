"""Makes the JSON that people are shown from runs, groups and workflows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from flowserverless.api import handles, spreadsheets
from flowserverless.domain import (
    groups,
    kept_files,
    moments,
    public_files,
    runs,
    uploads,
    users,
    versions,
    workflows,
)
from flowserverless.domain.ranking import results, standing


def session(given: users.Session) -> handles.Session:
    """Who signed in."""
    expires = moments.text(datetime.fromtimestamp(given.expires, UTC))
    return {"id": given.id, "username": given.name, "token": given.token, "expiresAt": expires}


def signed_out(user: str, name: str | None) -> handles.SignedOut:
    """Whose tokens are refused from now on."""
    return {"id": user, "username": name} if name else {"id": user}


def new_user(user: users.User, email: str | None) -> handles.NewUser:
    """Who registered; with a warning where no code can ever be sent for another password."""
    shown: handles.NewUser = {"id": user.id, "username": user.name, "active": user.active}
    if not user.active:
        return shown
    why = "the e-mail address was not verified" if email else "without an e-mail address"
    return {**shown, "warnings": [f"{why}{', so' if email else ''} a forgotten password cannot be reset"]}


@dataclass(frozen=True)
class Beside:
    """What does not stand in a run: its user's name, its values on the board that people see, its place there."""

    username: str | None = None
    results: Sequence[Mapping[str, Any]] | None = None
    place: standing.Place | None = None


NOTHING = Beside()


def _present(**fields: Any) -> Any:
    return {name: value for name, value in fields.items() if value is not None}


def file(of: runs.ResultFile) -> handles.FileHandle:
    """A result file."""
    handle: handles.FileHandle = _present(
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
    handle: handles.StepHandle = _present(
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
    handle: handles.RunHandle = _present(
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
        archive=_present(size=of.archive.size, detail=of.archive.detail) if of.archive else None,
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
    line: handles.RunLine = _present(
        **run_line(of),
        startedAt=_text(of.started_at),
        finishedAt=_text(of.finished_at),
        reason={"code": of.reason.code, "detail": of.reason.detail} if of.reason else None,
        **_contribution(of, beside),
    )
    return line


def _contribution(of: runs.Run, beside: Beside) -> handles.Json:
    """Who started a run with which files, and what came of it."""
    told: handles.Json = _present(
        startedBy=_present(id=of.started_by, username=beside.username) if of.started_by else None,
        inputs=[_present(id=file, name=upload.name) for file, upload in of.uploads.items()] or None,
        results=beside.results,
        ranking=_ranking(beside.place) if beside.place else None,
    )
    return told


def _ranking(of: standing.Place) -> handles.RankingStatus:
    status: handles.RankingStatus = _present(
        status=str(of.status), code=of.code, detail=of.detail, by=of.by, rank=of.rank
    )
    return status


def upload(of: uploads.Upload, form: handles.Json | None = None) -> handles.UploadHandle:
    """An uploaded file; an announced one that has not arrived says so."""
    handle: handles.UploadHandle = _present(
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
    line: handles.WorkflowLine = _present(id=of.id, name=of.name, description=of.description)
    return line


def post_processing(
    workflow: workflows.Workflow, good: runs.Run | None, last: runs.Run | None
) -> handles.PostProcessingHandle | handles.RunHandle | None:
    """The last good result, and beside it the newest run when that is active or failed; without a good one, that."""
    if good is None:
        return _without_output(last) if last else None
    handle: handles.PostProcessingHandle = {
        **run(good),  # type: ignore[typeddict-item]
        "stale": workflow.is_outdated(good),
        "version": good.ranking_version or 0,
    }
    handle["rankingVersion"] = workflow.ranking_version
    if last and last.id != good.id:
        handle["last"] = _without_output(last)
    return handle


def _without_output(of: runs.Run) -> handles.RunHandle:
    """The handle of a run with why it failed, and not what its steps printed, which is for who looks into the run."""
    handle = run(of)
    if "messages" in handle:
        handle["messages"] = [of.reason.detail] if of.reason else []
    return handle


def workflow(
    of: workflows.Workflow,
    published: versions.Version,
    postproc: handles.PostProcessingHandle | handles.RunHandle | None,
) -> handles.WorkflowHandle:
    """A workflow's handle."""
    document = published.document
    handle: handles.WorkflowHandle = _present(
        id=of.id,
        name=published.name,
        version=published.id,
        description=published.description,
        instructions=published.instructions,
        parameters=document.get("parameters", []),
        parameterGroups=document.get("parameterGroups"),
        outputs=document.get("outputs"),
        rankingVersion=of.ranking_version,
        publicFiles=[_public_file(of.id, *one) for one in published.public],
        postproc=postproc,
    )
    return handle


def _public_file(workflow: str, path: str, size: int) -> handles.PublicFileHandle:
    file_id = public_files.identifier(path)
    return {
        "id": file_id,
        "name": path,
        "size": size,
        "mediaType": kept_files.media_type(path),
        "url": f"workflows/{workflow}/files/{file_id}",
    }


def columns(schema: results.ResultSchema) -> list[handles.ColumnHandle]:
    """The columns of a leaderboard."""
    return [{"name": column.name, "label": column.label, "dtype": column.dtype} for column in schema.columns]


def ranking_line(
    schema: results.ResultSchema, rank: int, entry: standing.Entry, group_name: str
) -> handles.RankingLine:
    """A line of a leaderboard: every column in its place, because flowServ's page reads them by position."""
    return {
        "rank": rank,
        "run": {
            "id": entry.run,
            "createdAt": moments.text(entry.created_at),
            "startedAt": moments.text(entry.started_at),
            "finishedAt": moments.text(entry.finished_at),
        },
        "group": {"id": entry.group, "name": group_name},
        "results": cast("list[handles.Result]", results.shown(schema, entry.values)),
    }


def leaderboard_csv(board: handles.Leaderboard) -> str:
    """A leaderboard as CSV with labels as header."""
    columns = board["schema"] or []
    rows: list[list[spreadsheets.Cell]] = [["Rank", "Group", "Run", *(column["label"] for column in columns)]]
    for line in board["ranking"]:
        values = [_number(column, one["value"]) for column, one in zip(columns, line["results"], strict=True)]
        rows.append([line["rank"], line["group"]["name"], line["run"]["id"], *values])
    return spreadsheets.csv(rows)


def _number(column: handles.ColumnHandle, value: spreadsheets.Cell) -> spreadsheets.Cell:
    """The value; JSON has no infinite numbers, which are texts there."""
    return float(value) if column["dtype"] == "float" and isinstance(value, str) else value

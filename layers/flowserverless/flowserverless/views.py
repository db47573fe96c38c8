"""What people are shown: flowServ's JSON handles, and what this service adds to them. Absent is left out, not null."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, cast

from typing_extensions import TypedDict

from flowserverless.domain import outputs, public_files, results, runs, spreadsheets
from flowserverless.store import rankings, table

Json = dict[str, Any]


class Reason(TypedDict):
    """Why a run is not SUCCESS."""

    code: str
    detail: str


class StepHandle(TypedDict):
    """One step of a run; `python` is the version that executed it in a Lambda."""

    name: str
    state: str
    startedAt: NotRequired[str]
    finishedAt: NotRequired[str]
    exitCode: NotRequired[int]
    python: NotRequired[str]


class FileHandle(TypedDict):
    """A result file; `title` to `widget` come from the template."""

    id: str
    name: str
    size: int
    mediaType: str
    sha256: NotRequired[str]
    title: NotRequired[str]
    caption: NotRequired[str]
    format: NotRequired[Any]
    widget: NotRequired[Any]


class ArchiveHandle(TypedDict):
    """The archive of all result files, or why there is none."""

    size: NotRequired[int]
    detail: NotRequired[str]


class RankingStatus(TypedDict):
    """Whether a successful run is on the leaderboard, and if not, why; `rank` is that of a group's best run."""

    status: str
    rank: NotRequired[int]
    code: NotRequired[str]
    detail: NotRequired[str]
    by: NotRequired[str]


class Starter(TypedDict):
    """Who started a run; the name is told while they are a member of the group."""

    id: str
    username: NotRequired[str]


class InputHandle(TypedDict):
    """An uploaded file that a run was started with, as it was then."""

    id: str
    name: NotRequired[str]


class Result(TypedDict):
    """One value of a line; infinite numbers are the texts `inf` and `-inf`, a missing one is null."""

    name: str
    value: int | float | str | None


class RunHandle(TypedDict):
    """A run, as flowServ's run handle with reason, steps, ranking, archive and the Python of its Lambda steps added."""

    id: str
    state: str
    createdAt: str
    workflowId: str
    arguments: list[Json]
    steps: list[StepHandle]
    python: NotRequired[str]
    workflowVersion: str
    deadline: str
    groupId: NotRequired[str]
    parameters: NotRequired[list[Json]]
    startedAt: NotRequired[str]
    finishedAt: NotRequired[str]
    messages: NotRequired[list[str]]
    reason: NotRequired[Reason]
    files: NotRequired[list[FileHandle]]
    fileCount: NotRequired[int]
    archive: NotRequired[ArchiveHandle]
    startedBy: NotRequired[Starter]
    inputs: NotRequired[list[InputHandle]]
    results: NotRequired[list[Result]]
    ranking: NotRequired[RankingStatus]
    rankingVersion: NotRequired[int]
    ingest: NotRequired[Json]


class RunLine(TypedDict):
    """A run in a listing; those far down have the first three members only, where a listing would get too long."""

    id: str
    state: str
    createdAt: str
    startedAt: NotRequired[str]
    finishedAt: NotRequired[str]
    startedBy: NotRequired[Starter]
    inputs: NotRequired[list[InputHandle]]
    reason: NotRequired[Reason]
    results: NotRequired[list[Result]]
    ranking: NotRequired[RankingStatus]


class RunListing(TypedDict):
    """Runs, newest first."""

    runs: list[RunLine]
    next: NotRequired[str]


class FileListing(TypedDict):
    """Result files of a run, in the order of the template's outputs."""

    files: list[FileHandle]
    next: NotRequired[str]


class UploadHandle(TypedDict):
    """An uploaded input file."""

    id: str
    name: str
    createdAt: str
    size: int
    sha256: NotRequired[str]
    state: NotRequired[str]
    upload: NotRequired[Json]


class UploadListing(TypedDict):
    """Uploaded files, newest first."""

    files: list[UploadHandle]
    next: NotRequired[str]


class Member(TypedDict):
    """A member of a group."""

    id: str
    username: str


class GroupLine(TypedDict):
    """A group in a listing."""

    id: str
    name: str
    workflow: str


class GroupListing(TypedDict):
    """Groups, by identifier."""

    groups: list[GroupLine]
    next: NotRequired[str]


class GroupHandle(TypedDict):
    """A group with its owner and members, what it can set, its files and its runs."""

    id: str
    name: str
    workflow: str
    owner: NotRequired[Member]
    members: list[Member]
    parameters: list[Json]
    files: list[UploadHandle]
    config: Json | None
    runs: NotRequired[list[RunLine]]


class WorkflowLine(TypedDict):
    """A workflow in a listing."""

    id: str
    name: str
    description: NotRequired[str]


class WorkflowListing(TypedDict):
    """Workflows, by identifier."""

    workflows: list[WorkflowLine]
    next: NotRequired[str]


class PostProcessingHandle(RunHandle):
    """The last good post-processing run, how it relates to the ranking, and the last run if that was another."""

    stale: bool
    version: int
    last: NotRequired[RunHandle]


class PublicFileHandle(TypedDict):
    """A file that anybody may download, at `url` below the service's own."""

    id: str
    name: str
    size: int
    mediaType: str
    url: str


class WorkflowHandle(TypedDict):
    """A workflow with what a group needs to take part."""

    id: str
    name: str
    version: str
    parameters: list[Json]
    rankingVersion: int
    publicFiles: list[PublicFileHandle]
    description: NotRequired[str]
    instructions: NotRequired[str]
    parameterGroups: NotRequired[list[Json]]
    outputs: NotRequired[list[Json]]
    postproc: NotRequired[PostProcessingHandle | RunHandle]
    groups: NotRequired[list[GroupLine]]


class ColumnHandle(TypedDict):
    """A column of the leaderboard."""

    name: str
    label: str
    dtype: str


class RankedRun(TypedDict):
    """The run behind a line of the leaderboard."""

    id: str
    createdAt: str
    startedAt: str
    finishedAt: str


class GroupName(TypedDict):
    """The group behind a line of the leaderboard."""

    id: str
    name: str


class RankingLine(TypedDict):
    """A line of the leaderboard; lines with equal values share a rank (1, 1, 3)."""

    rank: int
    run: RankedRun
    group: GroupName
    results: list[Result]


class Leaderboard(TypedDict):
    """A page of a workflow's ranking; `schema` is null when the workflow ranks nothing."""

    schema: list[ColumnHandle] | None
    ranking: list[RankingLine]
    rankingVersion: int
    next: NotRequired[str]
    postproc: NotRequired[PostProcessingHandle | RunHandle]


class Link(TypedDict):
    """A route of the service: its name and its pattern relative to the service's URL."""

    id: str
    pattern: str


class Service(TypedDict):
    """What the service is and where its routes are; `python` and `platform` are what steps in a Lambda run on."""

    name: str
    version: str
    url: str
    python: str
    platform: str
    docs: str
    openapi: str
    routes: list[Link]
    username: NotRequired[str]


@dataclass(frozen=True)
class Beside:
    """What does not stand in a run: its user's name, its values on the board that people see, its place there."""

    username: str | None = None
    results: Sequence[Mapping[str, Any]] | None = None
    ranking: Mapping[str, Any] | None = None


NOTHING = Beside()


def _present(**fields: Any) -> Any:
    return {name: value for name, value in fields.items() if value is not None}


def file(of: runs.ResultFile) -> FileHandle:
    """A result file."""
    handle: FileHandle = _present(
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


def step(of: runs.Step) -> StepHandle:
    """A step of a run."""
    handle: StepHandle = _present(
        name=of.name,
        state=str(of.state),
        startedAt=of.started_at,
        finishedAt=of.finished_at,
        exitCode=of.exit_code,
        python=of.python,
    )
    return handle


def run(of: runs.Run, beside: Beside = NOTHING, ingest: Json | None = None) -> RunHandle:
    """A run's handle; `files` where it ended, as flowServ has them, and `messages`.

    A success has messages only if something of it was not delivered.
    """
    final = not of.active
    failed = final and of.state is not runs.State.SUCCESS
    handle: RunHandle = _present(
        id=of.id,
        state=str(of.state),
        createdAt=of.created_at,
        startedAt=of.started_at,
        finishedAt=of.finished_at,
        deadline=of.deadline,
        workflowId=of.workflow,
        workflowVersion=of.version,
        groupId=of.group,
        arguments=list(of.arguments),
        parameters=list(of.parameters) if of.group else None,
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


def run_line(of: runs.Run) -> RunLine:
    """As much of a run in a listing as flowServ shows."""
    return {"id": of.id, "state": str(of.state), "createdAt": of.created_at}


def full_run_line(of: runs.Run, beside: Beside) -> RunLine:
    """A run in a listing, with all that is read with it."""
    line: RunLine = _present(
        **run_line(of),
        startedAt=of.started_at,
        finishedAt=of.finished_at,
        reason={"code": of.reason.code, "detail": of.reason.detail} if of.reason else None,
        **_contribution(of, beside),
    )
    return line


def _contribution(of: runs.Run, beside: Beside) -> Json:
    """Who started a run with which files, and what came of it."""
    told: Json = _present(
        startedBy=_present(id=of.started_by, username=beside.username) if of.started_by else None,
        inputs=[_present(id=file, name=upload.name) for file, upload in of.uploads.items()] or None,
        results=beside.results,
        ranking=beside.ranking,
    )
    return told


def upload(of: table.UploadItem, form: Json | None = None) -> UploadHandle:
    """An uploaded file; an announced one that has not arrived says so."""
    handle: UploadHandle = _present(
        id=of.file,
        name=of.name,
        createdAt=of.created_at,
        size=int(of.size),
        sha256=of.sha256,
        state="PENDING" if of.pending else None,
        upload=form,
    )
    return handle


def group(
    of: table.GroupItem,
    members: Sequence[table.MemberItem],
    parameters: Sequence[Json],
    files: Sequence[table.UploadItem] = (),
    of_runs: Sequence[RunLine] | None = None,
) -> GroupHandle:
    """A group's handle."""
    handle: GroupHandle = {
        "id": of.group,
        "name": of.name,
        "workflow": of.workflow,
        "owner": {"id": of.owner, "username": next((one.name for one in members if one.user == of.owner), "")},
        "members": [{"id": member.user, "username": member.name} for member in members],
        "parameters": list(parameters),
        "files": [upload(one) for one in files],
        "config": of.config,
    }
    if of_runs is not None:
        handle["runs"] = list(of_runs)
    return handle


def group_from_outside(of: table.GroupItem) -> GroupHandle:
    """A group's handle as who has just left it may see it: what a leaderboard shows, and nothing else."""
    return {
        "id": of.group,
        "name": of.name,
        "workflow": of.workflow,
        "members": [],
        "parameters": [],
        "files": [],
        "config": None,
    }


def group_line(of: table.GroupLinkItem) -> GroupLine:
    """A group in a listing."""
    return {"id": of.group, "name": of.name, "workflow": of.workflow}


def workflow_line(of: table.CatalogueItem) -> WorkflowLine:
    """A workflow in a listing."""
    line: WorkflowLine = _present(id=of.workflow, name=of.name, description=of.description)
    return line


def post_processing(
    workflow: table.WorkflowItem, good: runs.Run | None, last: runs.Run | None
) -> PostProcessingHandle | RunHandle | None:
    """The last good result, and beside it the newest run when that is active or failed; without a good one, that."""
    if good is None:
        return _without_output(last) if last else None
    handle: PostProcessingHandle = {
        **run(good),  # type: ignore[typeddict-item]
        "stale": workflow.due == "POSTPROC" or good.ranking_version != int(workflow.ranking_version),
        "version": good.ranking_version or 0,
    }
    handle["rankingVersion"] = int(workflow.ranking_version)
    if last and last.id != good.id:
        handle["last"] = _without_output(last)
    return handle


def _without_output(of: runs.Run) -> RunHandle:
    """The handle of a run with why it failed, and not what its steps printed, which is for who looks into the run."""
    handle = run(of)
    if "messages" in handle:
        handle["messages"] = [of.reason.detail] if of.reason else []
    return handle


def workflow(
    of: table.WorkflowItem, published: table.TemplateItem, postproc: PostProcessingHandle | RunHandle | None
) -> WorkflowHandle:
    """A workflow's handle."""
    document = published.template
    handle: WorkflowHandle = _present(
        id=of.workflow,
        name=published.name,
        version=published.version,
        description=published.description,
        instructions=published.instructions,
        parameters=document.get("parameters", []),
        parameterGroups=document.get("parameterGroups"),
        outputs=document.get("outputs"),
        rankingVersion=int(of.ranking_version),
        publicFiles=[_public_file(of.workflow, *one) for one in published.public or ()],
        postproc=postproc,
    )
    return handle


def _public_file(workflow: str, path: str, size: int) -> PublicFileHandle:
    file_id = public_files.identifier(path)
    return {
        "id": file_id,
        "name": path,
        "size": int(size),
        "mediaType": outputs.media_type(path),
        "url": f"workflows/{workflow}/files/{file_id}",
    }


def columns(schema: results.ResultSchema) -> list[ColumnHandle]:
    """The columns of a leaderboard."""
    return [{"name": column.name, "label": column.label, "dtype": column.dtype} for column in schema.columns]


def ranking_line(schema: results.ResultSchema, rank: int, entry: rankings.Entry, group_name: str) -> RankingLine:
    """A line of a leaderboard: every column in its place, because flowServ's page reads them by position."""
    return {
        "rank": rank,
        "run": {
            "id": entry.run,
            "createdAt": entry.created_at,
            "startedAt": entry.started_at,
            "finishedAt": entry.finished_at,
        },
        "group": {"id": entry.group, "name": group_name},
        "results": cast("list[Result]", results.shown(schema, entry.values)),
    }


def leaderboard_csv(board: Leaderboard) -> str:
    """A leaderboard as CSV with labels as header."""
    columns = board["schema"] or []
    rows: list[list[spreadsheets.Cell]] = [["Rank", "Group", "Run", *(column["label"] for column in columns)]]
    for line in board["ranking"]:
        values = [_number(column, one["value"]) for column, one in zip(columns, line["results"], strict=True)]
        rows.append([line["rank"], line["group"]["name"], line["run"]["id"], *values])
    return spreadsheets.csv(rows)


def _number(column: ColumnHandle, value: spreadsheets.Cell) -> spreadsheets.Cell:
    """The value; JSON has no infinite numbers, which are texts there."""
    return float(value) if column["dtype"] == "float" and isinstance(value, str) else value

"""The JSON that people are shown: flowServ's handles as types. Absent is left out, not null."""

from typing import Any, NotRequired

from typing_extensions import TypedDict


class UserHandle(TypedDict):
    """A user."""

    id: str
    username: str


class UserListing(TypedDict):
    """Users in no particular order; a page may be short, `next` says whether there are more."""

    users: list[UserHandle]
    next: NotRequired[str]


class NewUser(UserHandle):
    """A user who registered; `active` once nothing stands between them and signing in.

    `warnings` say what will not be possible.
    """

    active: bool
    warnings: NotRequired[list[str]]


class Session(UserHandle):
    """Who signed in, and the token that proves it until it expires."""

    token: str
    expiresAt: str


class SignedOut(TypedDict):
    """Who signed out; nobody when the token had been signed out before."""

    id: NotRequired[str]
    username: NotRequired[str]


class ResetRequest(TypedDict):
    """What to send back with the code from the e-mail."""

    requestId: str


class Me(UserHandle):
    """Who is calling, and as what beside a user."""

    roles: list[str]


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

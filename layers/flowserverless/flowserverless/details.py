"""One thing at a time, with all that people want to know of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from aws_lambda_powertools.event_handler import Response

from flowserverless import access, api, postprocessing, views
from flowserverless.domain import errors, ids, runs
from flowserverless.store import groups, rankings, table, workflows
from flowserverless.store import runs as stored_runs

MOST_SHOWN = 1000
# Of a run's files as JSON, which are ten thousand ordinary ones; an answer has 6 MB. Pages of files have them all.
FILES_BYTES = 3_000_000
# Of a listing's runs as JSON with all that there is to say of them; further ones have their id and state.
LINES_BYTES = 2_500_000


def run(who: access.Caller, seen: access.RunView) -> views.RunHandle:
    """A run with who started it, and where the workflow ranks runs, with its values, its rank, or why it has none."""
    whole = stored_runs.complete(seen.run, FILES_BYTES)
    if seen.group is None:
        return views.run(whole)
    mine = seen.run.started_by == who.user
    names, board = beside(seen.group, [] if mine else [seen.run], seen.run.standings)
    found = told(seen.run, seen.group, board, {**names, who.user: who.name})
    if found.ranking and found.ranking["status"] == "ranked":
        rank = rankings.place(seen.run.workflow, str(board), str(seen.run.standings[str(board)].key))
        found = replace(found, ranking={**found.ranking, "rank": rank} if rank else found.ranking)
    return views.run(whole, found)


def beside(group: table.GroupItem, of: Iterable[runs.Run], ranked: object = True) -> tuple[dict[str, str], str | None]:
    """Names of the members who started these runs, and the board that people see if any is `ranked`; in one read."""
    people = [table.member(group.group, user) for user in {str(run.started_by) for run in of}]
    keys = [*people, table.workflow(group.workflow)] if ranked else people
    found = table.fetch(keys).values() if keys else ()
    names = {item.user: item.name for item in found if isinstance(item, table.MemberItem)}
    return names, next((item.board for item in found if isinstance(item, table.WorkflowItem)), None)


def told(run: runs.Run, group: table.GroupItem, board: str | None, names: Mapping[str, str]) -> views.Beside:
    """What is shown of a group's run that stands elsewhere."""
    standing = run.standings.get(board or "")
    return views.Beside(
        names.get(str(run.started_by)),
        standing.results if standing else None,
        stored_runs.ranking_status(run, group, board),
    )


def lines(
    found: Iterable[runs.Run], group: table.GroupItem, board: str | None, names: Mapping[str, str]
) -> list[views.RunLine]:
    """Runs in a listing, with all that is read with them anyway as long as there is room."""
    shown: list[views.RunLine] = []
    room = LINES_BYTES
    for run in found:
        line = views.full_run_line(run, told(run, group, board, names)) if room > 0 else views.run_line(run)
        room -= len(json.dumps(line))
        shown.append(line)
    return shown


def workflow(who: access.Caller, workflow_id: str) -> views.WorkflowHandle:
    """A workflow with its post-processing results, and the caller's groups of it. Raises NotFound."""
    head, published = workflows.with_template(workflow_id)
    handle = views.workflow(head, published, views.post_processing(head, *postprocessing.shown_whole(head)))
    if who.user:
        mine, _ = groups.links(f"USER#{who.user}", MOST_SHOWN, None, workflow_id)
        handle["groups"] = [views.group_line(link) for link in mine]
    return handle


def group(who: access.Caller, group_id: str) -> views.GroupHandle:
    """A group with its newest uploads and runs. Raises NotFound, Forbidden."""
    access.group(who, group_id)
    found, members = groups.with_members(group_id)
    head, published = workflows.with_template(found.workflow)
    parameters = groups.parameters(found, published.template)
    files, _ = groups.uploads(group_id, MOST_SHOWN)
    newest, _ = stored_runs.newest(ids.RunId(group_id, ""), MOST_SHOWN, None, None)
    names = {member.user: member.name for member in members}
    return views.group(found, members, parameters, files, lines(newest, found, head.board, names))


def log(of: runs.Run, step: int | None, tail: int | None, head: bool) -> Response[str]:
    """The log of a step. Raises NotFound where there is none."""
    # Reading a log is the only thing here that needs S3.
    from flowserverless.store import files

    begun = [index for index, one in enumerate(of.steps) if one.state is not runs.State.PENDING]
    index = step if step is not None else begun[-1] if begun else 0
    if index not in begun:
        raise errors.NotFound(f"step {index} of run {of.id} has not begun", "NO_LOG")
    key = files.log(of.id, index)
    if tail is None:
        if files.head(key) is None:
            raise errors.NotFound(f"step {index} of run {of.id} has no log", "NO_LOG")
        return api.redirect(files.link(key, f"{of.id}-{index:03d}.txt", "text/plain; charset=utf-8", head=head))
    body = files.tail(key, tail)
    if body is None:
        raise errors.NotFound(f"step {index} of run {of.id} has no log", "NO_LOG")
    return Response(200, "text/plain; charset=utf-8", body.decode(errors="replace"))

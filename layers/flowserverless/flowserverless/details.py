"""One thing at a time, with all that people want to know of it."""

from aws_lambda_powertools.event_handler import Response

from flowserverless import access, api, postprocessing, views
from flowserverless.domain import errors, ids, runs
from flowserverless.store import groups, workflows
from flowserverless.store import runs as stored_runs

MOST_SHOWN = 1000
# Of a run's files as JSON, which are ten thousand ordinary ones; an answer has 6 MB. Pages of files have them all.
FILES_BYTES = 3_000_000


def run(seen: access.RunView) -> views.RunHandle:
    """A run; where the workflow ranks runs, a successful one also says whether it is ranked."""
    ranking = None
    if seen.group is not None and seen.run.standings:
        board = workflows.get(seen.run.workflow).board
        ranking = stored_runs.ranking_status(seen.run, seen.group, board)
    return views.run(stored_runs.complete(seen.run, FILES_BYTES), ranking)


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
    parameters = groups.parameters(found, workflows.version(found.workflow).template)
    files, _ = groups.uploads(group_id, MOST_SHOWN)
    newest, _ = stored_runs.newest(ids.RunId(group_id, ""), MOST_SHOWN, None, None)
    return views.group(found, members, parameters, files, newest)


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

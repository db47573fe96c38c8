"""Pages of things: newest first or by identifier, with `next` in the answer while there is more."""

from typing import Any

from flowserverless import access, cursor, views
from flowserverless.domain import errors, ids, outputs, runs
from flowserverless.store import groups, workflows
from flowserverless.store import runs as stored_runs


def state(text: str | None) -> runs.State | None:
    """The state that a filter names; nothing, `None` and the unfilled `{state}` of flowServ's clients mean all."""
    if text in (None, "", "None", "{state}"):
        return None
    try:
        return runs.State(str(text).upper())
    except ValueError:
        known = ", ".join(runs.State)
        raise errors.InvalidRequest(f"'{str(text)[:100]}' is no state of a run; there are {known}") from None


def switch(text: str | None) -> bool:
    """A switch in a query: present without a value, or true, is on (`?includeAll`, `?includeAll=true`)."""
    if text is None or text.lower() in ("false", "0", "no", "none"):
        return False
    if text.lower() in ("", "true", "1", "yes"):
        return True
    raise errors.InvalidRequest(f"'{text[:100]}' is neither true nor false")


def _page(name: str, lines: list[Any], more: bool, position: Any) -> Any:
    page = {name: lines}
    return {**page, "next": cursor.write([position])} if more else page


def _after(at: str | None) -> str | None:
    position = cursor.read(at, str)
    return position[0] if position else None


def runs_of(group: str, of_state: runs.State | None, limit: int, at: str | None) -> views.RunListing:
    """Runs of a group, newest first."""
    found, more = stored_runs.newest(ids.RunId(group, ""), limit, of_state, _after(at))
    last = ids.run_id(found[-1].id).ulid if found else ""
    page: views.RunListing = _page("runs", [views.run_line(run) for run in found], more, last)
    return page


def files_of(run: runs.Run, limit: int, at: str | None) -> views.FileListing:
    """Files of a run that has ended, in the order of the outputs."""
    # Where the page begins, and how many files came before it: pages of the table differ in length.
    place, seen = cursor.read(at, int, int) or (0, 0)
    found: list[runs.ResultFile] = []
    while len(found) < limit and seen + len(found) < run.file_count:
        page, offset = divmod(place, outputs.PAGE_FILES)
        there = stored_runs.files_page(run, page)[offset:]
        if page and not there:
            break
        taken = there[: limit - len(found)]
        found += taken
        place = place + len(taken) if len(taken) < len(there) else (page + 1) * outputs.PAGE_FILES
    listing: views.FileListing = {"files": [views.file(file) for file in found]}
    if found and seen + len(found) < run.file_count:
        listing["next"] = cursor.write([place, seen + len(found)])
    return listing


def uploads_of(group: str, limit: int, at: str | None) -> views.UploadListing:
    """Uploads of a group, newest first."""
    found, more = groups.uploads(group, limit, _after(at))
    last = found[-1].file if found else ""
    page: views.UploadListing = _page("files", [views.upload(item) for item in found], more, last)
    return page


def groups_at(partition: str, limit: int, at: str | None) -> views.GroupListing:
    """Groups that a user or a workflow leads to, by identifier."""
    found, more = groups.links(partition, limit, _after(at))
    last = found[-1].group if found else ""
    page: views.GroupListing = _page("groups", [views.group_line(item) for item in found], more, last)
    return page


def groups_in(who: access.Caller, workflow: str, limit: int, at: str | None) -> views.GroupListing:
    """Groups of a workflow: an organiser sees all, others their own. Raises NotFound (workflow)."""
    workflows.get(workflow)
    if who.organiser:
        return groups_at(f"WORKFLOW#{workflow}", limit, at)
    page = groups_at(f"USER#{who.user}", limit, at)
    page["groups"] = [line for line in page["groups"] if line["workflow"] == workflow]
    return page


def workflows_published(limit: int, at: str | None) -> views.WorkflowListing:
    """Workflows by identifier."""
    found, more = workflows.catalogue(limit, _after(at))
    last = found[-1].workflow if found else ""
    page: views.WorkflowListing = _page("workflows", [views.workflow_line(item) for item in found], more, last)
    return page

"""Pages of things: newest first or by identifier, with `next` in the answer while there is more."""

from typing import Any

from flowserverless import access, cursor, details, views
from flowserverless.domain import errors, ids, outputs, runs
from flowserverless.store import groups, table, workflows
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
    """A switch in a query: present without a value, or true, is on (`?includeAll`, `?includeAll=true`).

    The unfilled `{includeAll}` of a link in the service descriptor is off.
    """
    if text is None or text.lower() in ("false", "0", "no", "none", "{includeall}"):
        return False
    if text.lower() in ("", "true", "1", "yes"):
        return True
    raise errors.InvalidRequest(f"'{text[:100]}' is neither true nor false")


def _page(listing: str, name: str, lines: list[Any], more: bool, position: Any) -> Any:
    page = {name: lines}
    return {**page, "next": cursor.write(listing, position)} if more else page


def _after(listing: str, at: str | None) -> str | None:
    """The name or ULID behind which a page begins; sort keys are made of it, and nothing else belongs in them."""
    position = cursor.read(listing, at, str)
    if position is None:
        return None
    if not ids.is_name(position[0]):
        raise cursor.invalid()
    return str(position[0])


def runs_of(group: table.GroupItem, of_state: runs.State | None, limit: int, at: str | None) -> views.RunListing:
    """Runs of a group, newest first."""
    listing = f"groups/{group.group}/runs"
    found, more = stored_runs.newest(ids.RunId(group.group, ""), limit, of_state, _after(listing, at))
    last = ids.run_id(found[-1].id).ulid if found else ""
    names, board = details.beside(group, found) if found else ({}, None)
    lines = details.lines(found, group, board, names)
    page: views.RunListing = _page(listing, "runs", lines, more, last)
    return page


def files_of(run: runs.Run, limit: int, at: str | None) -> views.FileListing:
    """Files of a run that has ended, in the order of the outputs."""
    listing = f"runs/{run.id}/files"
    # Where the page begins, and how many files came before it: pages of the table differ in length.
    place, seen = cursor.read(listing, at, int, int) or (0, 0)
    found: list[runs.ResultFile] = []
    while len(found) < limit and seen + len(found) < run.file_count:
        page, offset = divmod(place, outputs.PAGE_FILES)
        there = stored_runs.files_page(run, page)[offset:]
        if page and not there:
            break
        taken = there[: limit - len(found)]
        found += taken
        place = place + len(taken) if len(taken) < len(there) else (page + 1) * outputs.PAGE_FILES
    files: views.FileListing = {"files": [views.file(file) for file in found]}
    if found and seen + len(found) < run.file_count:
        files["next"] = cursor.write(listing, place, seen + len(found))
    return files


def uploads_of(group: str, limit: int, at: str | None) -> views.UploadListing:
    """Uploads of a group, newest first."""
    listing = f"uploads/{group}/files"
    found, more = groups.uploads(group, limit, _after(listing, at))
    last = found[-1].file if found else ""
    page: views.UploadListing = _page(listing, "files", [views.upload(item) for item in found], more, last)
    return page


def groups_of(who: access.Caller, limit: int, at: str | None) -> views.GroupListing:
    """Groups of the caller, by identifier."""
    listing = f"users/{who.user}/groups"
    return _groups(listing, groups.links(f"USER#{who.user}", limit, _after(listing, at)))


def groups_in(who: access.Caller, workflow: str, limit: int, at: str | None) -> views.GroupListing:
    """Groups of a workflow: an organiser sees all, others their own. Raises NotFound (workflow)."""
    workflows.get(workflow)
    if who.organiser:
        listing = f"workflows/{workflow}/groups"
        return _groups(listing, groups.links(f"WORKFLOW#{workflow}", limit, _after(listing, at)))
    listing = f"users/{who.user}/workflows/{workflow}/groups"
    return _groups(listing, groups.links(f"USER#{who.user}", limit, _after(listing, at), workflow))


def _groups(listing: str, found: tuple[list[table.GroupLinkItem], bool]) -> views.GroupListing:
    links, more = found
    last = links[-1].group if links else ""
    page: views.GroupListing = _page(listing, "groups", [views.group_line(item) for item in links], more, last)
    return page


def workflows_published(limit: int, at: str | None) -> views.WorkflowListing:
    """Workflows by identifier."""
    found, more = workflows.catalogue(limit, _after("workflows", at))
    last = found[-1].workflow if found else ""
    page: views.WorkflowListing = _page(
        "workflows", "workflows", [views.workflow_line(item) for item in found], more, last
    )
    return page

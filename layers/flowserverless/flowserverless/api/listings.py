"""Answers listings of runs, files, uploads, groups and workflows, page by page."""

from typing import Any

from flowserverless.api import cursors, details, handles, views
from flowserverless.domain import errors, groups, ids, kept_files, runs, users
from flowserverless.store import group_items, run_items, upload_items, workflow_items


def _page(listing: str, name: str, lines: list[Any], more: bool, position: Any) -> Any:
    page = {name: lines}
    return {**page, "next": cursors.write(listing, position)} if more else page


def _after(listing: str, at: str | None) -> str | None:
    """The name or ULID behind which a page begins; sort keys are made of it, and nothing else belongs in them."""
    position = cursors.read(listing, at, str)
    if position is None:
        return None
    if not ids.is_name(position[0]):
        raise errors.InvalidCursor
    return str(position[0])


def runs_of(group: groups.Group, of_state: runs.State | None, limit: int, at: str | None) -> handles.RunListing:
    """Runs of a group, newest first."""
    listing = f"groups/{group.id}/runs"
    found, more = run_items.newest(ids.Owner(group.id), limit, of_state, _after(listing, at))
    last = ids.run_id(found[-1].id).ulid if found else ""
    names, board = details.beside(group, found) if found else ({}, None)
    lines = details.lines(found, group, board, names)
    page: handles.RunListing = _page(listing, "runs", lines, more, last)
    return page


def files_of(run: runs.Run, limit: int, at: str | None) -> handles.FileListing:
    """Files of a run that has ended, in the order of the outputs."""
    listing = f"runs/{run.id}/files"
    # Where the page begins, and how many files came before it: pages of the table differ in length.
    place, seen = cursors.read(listing, at, int, int) or (0, 0)
    found: list[runs.ResultFile] = []
    while len(found) < limit and seen + len(found) < run.file_count:
        page, offset = divmod(place, kept_files.PAGE_FILES)
        there = run_items.files_page(run, page)[offset:]
        if page and not there:
            break
        taken = there[: limit - len(found)]
        found += taken
        place = place + len(taken) if len(taken) < len(there) else (page + 1) * kept_files.PAGE_FILES
    files: handles.FileListing = {"files": [views.file(file) for file in found]}
    if found and seen + len(found) < run.file_count:
        files["next"] = cursors.write(listing, place, seen + len(found))
    return files


def uploads_of(group: str, limit: int, at: str | None) -> handles.UploadListing:
    """Uploads of a group, newest first."""
    listing = f"uploads/{group}/files"
    found, more = upload_items.page(group, limit, _after(listing, at))
    last = found[-1].id if found else ""
    page: handles.UploadListing = _page(listing, "files", [views.upload(item) for item in found], more, last)
    return page


def groups_of(who: users.Caller, limit: int, at: str | None) -> handles.GroupListing:
    """Groups of the caller, by identifier."""
    listing = f"users/{who.user}/groups"
    return _groups(listing, group_items.of_user(who.user, limit, _after(listing, at)))


def groups_in(who: users.Caller, workflow: str, limit: int, at: str | None) -> handles.GroupListing:
    """Groups of a workflow: an organiser sees all, others their own. Raises NotFound (workflow)."""
    workflow_items.get(workflow)
    if who.organiser:
        listing = f"workflows/{workflow}/groups"
        return _groups(listing, group_items.of_workflow(workflow, limit, _after(listing, at)))
    listing = f"users/{who.user}/workflows/{workflow}/groups"
    return _groups(listing, group_items.of_user(who.user, limit, _after(listing, at), workflow))


def _groups(listing: str, found: tuple[list[groups.Line], bool]) -> handles.GroupListing:
    lines, more = found
    last = lines[-1].id if lines else ""
    page: handles.GroupListing = _page(listing, "groups", [views.group_line(line) for line in lines], more, last)
    return page


def workflows_published(limit: int, at: str | None) -> handles.WorkflowListing:
    """Workflows by identifier."""
    found, more = workflow_items.catalogue(limit, _after("workflows", at))
    last = found[-1].id if found else ""
    page: handles.WorkflowListing = _page(
        "workflows", "workflows", [views.workflow_line(item) for item in found], more, last
    )
    return page

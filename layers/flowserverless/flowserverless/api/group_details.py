"""A group with all that people want to know of it."""

from collections.abc import Mapping

from flowserverless.api import details, handles, views
from flowserverless.auth import permissions
from flowserverless.domain import groups, ids, users
from flowserverless.store import group_items, run_items, upload_items, version_items

MAX_SHOWN = 1000


def group(who: users.Caller, group_id: str) -> handles.GroupHandle:
    """A group with its newest uploads and runs. Raises NotFound, Forbidden."""
    permissions.group(who, group_id)
    found, listed = group_items.with_members(group_id)
    head, published = version_items.with_workflow(found.workflow)
    files, _ = upload_items.page(group_id, MAX_SHOWN)
    newest, _ = run_items.newest(ids.Owner(group_id), MAX_SHOWN, None, None)
    names = groups.names(listed)
    shown = details.lines(newest, found, head.board, names)
    return views.group(found, names, found.declared(published.document), files, shown)


def changed_group(who: users.Caller, group: groups.Group, members: Mapping[str, str]) -> handles.GroupHandle:
    """A group that the caller changed; who is no member any more is told no more than strangers are."""
    if who.user not in members and not who.organiser:
        return views.group_from_outside(group)
    shown = group.declared(version_items.get(group.workflow).document)
    files, _ = upload_items.page(group.id, MAX_SHOWN)
    return views.group(group, members, shown, files)

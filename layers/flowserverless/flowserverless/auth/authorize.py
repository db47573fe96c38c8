"""Who may see and do what: organisers everything, members what is their group's, everybody what is published."""

import os
from dataclasses import dataclass
from typing import Any

from flowserverless.auth import credentials
from flowserverless.domain import errors, ids, runs
from flowserverless.store import group_items, members, run_items, table, upload_items


@dataclass(frozen=True)
class Caller:
    """Whom the authorizer recognised; user '' is a stranger, and `problem` says why."""

    user: str
    name: str
    organiser: bool
    problem: str = ""


def organiser(who: Caller, refusal: str) -> None:
    """Raises Forbidden with these words unless the caller is an organiser."""
    if not who.organiser:
        raise errors.Forbidden(refusal, "ORGANISERS_ONLY")


@dataclass(frozen=True)
class RunView:
    """A run as its reader may see it, with what its ranking status is read from."""

    run: runs.Run
    group: table.GroupItem | None


def acting(who: Caller, group_id: str) -> table.Key | None:
    """What has to be there still when something is written that the caller asks for: their membership.

    None for organisers, who need none.
    """
    return None if who.organiser else table.member(group_id, who.user)


def acting_on(who: Caller, of: runs.Run) -> table.Key | None:
    """As `acting`, for a run; post-processing belongs to no group."""
    return acting(who, of.group) if of.group else None


def group(who: Caller, group_id: str, *further: table.Key) -> tuple[table.GroupItem, dict[table.Key, Any]]:
    """The group, if the caller belongs to it or is an organiser; `further` items are read in the same call.

    Raises Forbidden for strangers whether or not the group exists, NotFound for organisers, and for members too of a
    group that is being deleted.
    """
    found, items = _group(who, group_id, *further)
    if group_items.is_closed(found):
        raise _unknown(group_id)
    return found, items


def _group(who: Caller, group_id: str, *further: table.Key) -> tuple[table.GroupItem, dict[table.Key, Any]]:
    if not ids.is_name(group_id):
        raise _unknown(group_id)
    found = table.fetch([table.group(group_id), table.member(group_id, who.user), *further])
    if table.member(group_id, who.user) not in found and not who.organiser:
        raise members.refusal(f"group '{group_id}'")
    if table.group(group_id) not in found:
        raise _unknown(group_id)
    return found[table.group(group_id)], found


def _unknown(group_id: str) -> errors.NotFound:
    return errors.NotFound(f"unknown group '{group_id[:100]}'")


def roster(who: Caller, group_id: str) -> tuple[table.GroupItem, dict[str, str]]:
    """The group and its members as {id: name}, read at one moment, for who may see them; raises as `group`."""
    if not ids.is_name(group_id):
        raise _unknown(group_id)
    found, items = group_items.find(group_id)
    people = {item.user: item.name for item in items}
    if who.user not in people and not who.organiser:
        raise members.refusal(f"group '{group_id}'")
    if found is None or group_items.is_closed(found):
        raise _unknown(group_id)
    return found, people


def run(who: Caller, run_id: str) -> RunView:
    """The run, if the caller may see it: members and organisers a group's run, everybody a post-processing run."""
    parsed = ids.run_id(run_id)
    if parsed.owner.post_processing:
        return RunView(run_items.get(run_id), None)
    owner, found = group(who, parsed.owner.name, table.run(parsed))
    if table.run(parsed) not in found:
        raise errors.NotFound(f"unknown run '{run_id}'")
    return RunView(run_items.from_item(found[table.run(parsed)]), owner)


def changeable_run(who: Caller, run_id: str) -> RunView:
    """As `run`, for cancel and delete: post-processing belongs to the organisers."""
    if ids.run_id(run_id).owner.post_processing and not who.organiser:
        raise errors.Forbidden("only organisers change post-processing runs", "ORGANISERS_ONLY")
    return run(who, run_id)


def downloadable_run(who: Caller, run_id: str) -> runs.Run:
    """As `run`, for downloads: the parameter PublicDownloads opens them to whoever knows the run's id."""
    if os.environ.get("PUBLIC_DOWNLOADS") == "true":
        return run_items.get(run_id)
    if not who.user and not ids.run_id(run_id).owner.post_processing:
        raise credentials.refusal(who.problem)
    return run(who, run_id).run


def downloadable_upload(who: Caller, group_id: str, file: str) -> table.UploadItem:
    """An uploaded file, for its group's members, for organisers, and for all with PublicDownloads."""
    if os.environ.get("PUBLIC_DOWNLOADS") != "true":
        if not who.user:
            raise credentials.refusal(who.problem)
        group(who, group_id)
    return upload_items.get(group_id, file)


def owned_group(who: Caller, group_id: str) -> table.GroupItem:
    """The group, for its owner and for organisers; raises Forbidden for other members too.

    One that is being deleted is answered as well, because who began that may ask for it again.
    """
    found, _ = _group(who, group_id)
    if found.owner != who.user and not who.organiser:
        raise errors.Forbidden("only the group's owner or an organiser may do this", "OWNERS_ONLY")
    return found

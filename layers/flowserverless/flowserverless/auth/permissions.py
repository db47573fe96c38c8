"""Authorizes callers: organisers for everything, members for what is their group's, anybody for what is public."""

from collections.abc import Iterable
from typing import Any

from flowserverless.domain import errors, frozen, groups, ids, runs, uploads, users
from flowserverless.store import batch_reads, group_items, members, run_items, upload_items


def organiser(who: users.Caller, refusal: str) -> None:
    """Raises Forbidden with these words unless the caller is an organiser."""
    if not who.organiser:
        raise errors.Forbidden(refusal, errors.ORGANISERS_ONLY)


@frozen.dataclass
class RunView:
    """A run as its reader may see it, with what its ranking status is read from."""

    run: runs.Run
    group: groups.Group | None


def acting_on(who: users.Caller, of: runs.Run) -> groups.Membership | None:
    """As `who.acting`, for a run; post-processing belongs to no group."""
    return who.acting(of.group) if of.group else None


def group(who: users.Caller, group_id: str) -> groups.Group:
    """The group, if the caller belongs to it or is an organiser.

    Raises Forbidden for strangers whether or not the group exists, NotFound for organisers, and for members too of a
    group that is being deleted.
    """
    return group_with(who, group_id)[0]


def group_with(
    who: users.Caller, group_id: str, *further: batch_reads.Wanted[Any]
) -> tuple[groups.Group, batch_reads.Found]:
    """As `group`; `further` things are read in the same call."""
    found, beside = _group(who, group_id, *further)
    if found.closed:
        raise groups.unknown(group_id)
    return found, beside


def group_with_uploads(
    who: users.Caller, group_id: str, files: Iterable[str]
) -> tuple[groups.Group, dict[str, uploads.Upload]]:
    """As `group`, with those of the uploads that there are, by their ids."""
    wanted = {file: upload_items.wanted(group_id, file) for file in files}
    found, beside = group_with(who, group_id, *wanted.values())
    return found, {file: upload for file, one in wanted.items() if (upload := beside.get(one))}


def _group(
    who: users.Caller, group_id: str, *further: batch_reads.Wanted[Any]
) -> tuple[groups.Group, batch_reads.Found]:
    if not ids.is_name(group_id):
        raise groups.unknown(group_id)
    own, membership = group_items.wanted(group_id), members.wanted(group_id, who.user)
    beside = batch_reads.together(own, membership, *further)
    if membership not in beside and not who.organiser:
        raise groups.refusal(f"group '{group_id}'")
    found = beside.get(own)
    if found is None:
        raise groups.unknown(group_id)
    return found, beside


def roster(who: users.Caller, group_id: str) -> tuple[groups.Group, dict[str, str]]:
    """The group and its members as {id: name}, read at one moment, for who may see them; raises as `group`."""
    if not ids.is_name(group_id):
        raise groups.unknown(group_id)
    found, listed = group_items.find(group_id)
    people = groups.names(listed)
    if who.user not in people and not who.organiser:
        raise groups.refusal(f"group '{group_id}'")
    if found is None or found.closed:
        raise groups.unknown(group_id)
    return found, people


def run(who: users.Caller, run_id: str) -> RunView:
    """The run, if the caller may see it: members and organisers a group's run, everybody a post-processing run."""
    parsed = ids.run_id(run_id)
    if parsed.owner.post_processing:
        return RunView(run_items.get(run_id), None)
    wanted = run_items.wanted(parsed)
    owner, beside = group_with(who, parsed.owner.name, wanted)
    found = beside.get(wanted)
    if found is None:
        raise errors.NotFound(f"unknown run '{run_id}'")
    return RunView(found, owner)


def changeable_run(who: users.Caller, run_id: str) -> RunView:
    """As `run`, for cancel and delete: post-processing belongs to the organisers."""
    if ids.run_id(run_id).owner.post_processing and not who.organiser:
        raise errors.Forbidden("only organisers change post-processing runs", errors.ORGANISERS_ONLY)
    return run(who, run_id)


def owned_group(who: users.Caller, group_id: str) -> groups.Group:
    """The group, for its owner and for organisers; raises Forbidden for other members too.

    One that is being deleted is answered as well, because who began that may ask for it again.
    """
    found, _ = _group(who, group_id)
    if found.owner != who.user and not who.organiser:
        raise errors.Forbidden("only the group's owner or an organiser may do this", errors.OWNERS_ONLY)
    return found

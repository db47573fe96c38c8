"""The one DynamoDB table: every key and every item, drawn here and nowhere else.

    what          pk                           sk                    read by
    ------------  ---------------------------- --------------------  ------------------------------------------
    group         GROUP#{group}                GROUP                 GetItem; members come with it (Query)
    member        GROUP#{group}                MEMBER#{user}         BatchGetItem beside what the caller asks for
    run           GROUP#{group}                RUN#{ulid}            GetItem by run id; newest first (Query)
    more files    GROUP#{group}                FILES#{ulid}#{page}   GetItem: page n of a run with many files
    deleted run   GONE#{group}                 GONE#{ulid}           until its files are removed
    its inbox     GONE#{group}                 INBOX#{ulid}          until nobody can deliver to the deleted run
    idempotency   GROUP#{group}                ONCE#{key digest}     GetItem; expires by itself
    upload        GROUP#{group}                UPLOAD#{file}         GetItem, Query
    content       GROUP#{group}                CONTENT#{size}#{sha}  the upload with these bytes: there is one
    withdrawn     WITHDRAWN#{group}            WITHDRAWN#{file}      until nobody can post the deleted upload any more
    workflow      WORKFLOW#{wf}                WORKFLOW              GetItem: what changes (ranking, post-processing)
    template      WORKFLOW#{wf}                TEMPLATE              GetItem: the current version, as published
    version       WORKFLOW#{wf}                VERSION#{version}     GetItem: any version, immutable
    group of wf   WORKFLOW#{wf}                GROUP#{group}         Query; BatchGetItem for names on a leaderboard
    group's name  WORKFLOW#{wf}                NAME#{name digest}    condition: names are unique in a workflow
    post-proc.    WORKFLOW#{wf}                RUN#{ulid}            as a group's run; FILES# alike, GONE# here too
    rebuild       WORKFLOW#{wf}                REBUILD#{board}       Query: a board being filled or taken down
    catalogue     CATALOGUE                    WORKFLOW#{wf}         Query
    user's group  USER#{user}                  GROUP#{group}         Query
    signed out    TOKEN#{token or user id}     TOKEN                 BatchGetItem by the authorizer; expires by itself
    user's name   USERNAME#{name digest}       USERNAME              condition: names of users look different
    entry         BOARD#{wf}#{board}#ALL       {rank key}            Query: every ranked run, in ranking order
    best entry    BOARD#{wf}#{board}#BEST      {rank key}            Query: one per group, in ranking order
    group's own   BOARD#{wf}#{board}#G#{group} {rank key}            Query: who is next when the best is deleted

A board is one way of reading results: its id is the version whose schema it follows and a number, because a
version that is published again begins another board. The sparse index
`due` (keys only) holds what somebody must come back to: active runs by deadline, runs that ended from outside until
their execution is stopped and then until their files are listed, deleted runs whose files are still there, deleted
uploads that may still be posted, rankings whose post-processing or rebuild is owed.
"""

import json
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar

from pynamodb.attributes import (
    Attribute,
    BooleanAttribute,
    DiscriminatorAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from pynamodb.constants import STRING
from pynamodb.exceptions import DeleteError, PutError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from flowserverless import settings
from flowserverless.domain import ids, moments


class Moment(Attribute[datetime]):
    """A moment, kept as text whose order is the order of time."""

    attr_type = STRING

    def serialize(self, value: datetime) -> str:
        """ISO 8601 in UTC."""
        return moments.text(value)

    def deserialize(self, value: str) -> datetime:
        """The moment that the text names."""
        return moments.read(value)


class Item(Model):
    """Any item; the attribute `kind` says which of the classes below it is."""

    class Meta:
        table_name = settings.current().table_name
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        connect_timeout_seconds = 3
        read_timeout_seconds = 10
        retry_configuration: ClassVar[Any] = {"mode": "standard", "total_max_attempts": 6}

    kind = DiscriminatorAttribute()
    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    due = UnicodeAttribute(null=True)
    due_at = Moment(null=True)


class Json(JSONAttribute):
    """A JSON document in as few bytes as UTF-8 needs; lone surrogates, which it does not have, stay escaped."""

    def serialize(self, value: Any) -> str | None:
        """JSON text."""
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


class RunItem(Item, discriminator="run"):
    """A run of a group, or of a workflow's post-processing."""

    workflow = UnicodeAttribute()
    version = UnicodeAttribute()
    group = UnicodeAttribute(null=True)
    started_by = UnicodeAttribute(null=True)
    as_organiser = BooleanAttribute(null=True)
    state = UnicodeAttribute()
    created_at = Moment()
    deadline = Moment()
    started_at = Moment(null=True)
    finished_at = Moment(null=True)
    arguments = Json()
    parameters = Json()
    file_names = Json(null=True)
    uploads = Json(null=True)
    config = Json()
    executors = Json()
    steps = Json()
    files = Json(null=True)
    file_count = NumberAttribute(default=0)
    messages = Json(null=True)
    reason = Json(null=True)
    archive = Json(null=True)
    standings = Json(null=True)
    ranking_version = NumberAttribute(null=True)
    ingest_token = UnicodeAttribute(null=True)


class FilesItem(Item, discriminator="files"):
    """A page of a run's files beyond the first, which stands in the run itself."""

    files = Json()


class GoneItem(Item, discriminator="gone"):
    """A run that was deleted; stays until its objects are gone from S3."""

    run = UnicodeAttribute()


class OnceItem(Item, discriminator="once"):
    """An idempotency key: the run it stands for and the digest of the payload it came with."""

    run = UnicodeAttribute()
    payload = UnicodeAttribute()
    expires = NumberAttribute()


class GroupItem(Item, discriminator="group"):
    """A group of users that submits to one workflow.

    `boards` says for each board of the workflow which run is the group's best ({board: {key, run}}). Every
    transaction that ends or deletes a run raises `revision` on the condition that it is as it was read. Every
    transaction that changes name, owner or members, or closes the group, does so with `roster`, which is another text
    each time, so that a group is not mistaken for a later one of its identifier either. There are two because people
    who change a group need not wait for its runs to end, nor these for them.
    """

    group = UnicodeAttribute()
    workflow = UnicodeAttribute()
    name = UnicodeAttribute()
    owner = UnicodeAttribute()
    created_at = Moment()
    parameters = Json(null=True)
    config = Json(null=True)
    boards = UnicodeAttribute(default="{}")
    active_runs = NumberAttribute(default=0)
    revision = NumberAttribute(default=0)
    roster = UnicodeAttribute(null=True)


class MemberItem(Item, discriminator="member"):
    """A user's membership in a group."""

    user = UnicodeAttribute()
    name = UnicodeAttribute()


class UploadItem(Item, discriminator="upload"):
    """An uploaded input file; `pending` until its bytes have arrived complete.

    `uses` counts the runs that were started with it, so that who deletes it notices one that starts meanwhile.
    `formed_at` is when a form to post it was given last, if that was after it was made.
    """

    file = UnicodeAttribute()
    name = UnicodeAttribute()
    size = NumberAttribute()
    created_at = Moment()
    media_type = UnicodeAttribute(null=True)
    sha256 = UnicodeAttribute(null=True)
    pending = BooleanAttribute(default=False)
    uses = NumberAttribute(null=True)
    formed_at = Moment(null=True)


class ContentItem(Item, discriminator="content"):
    """Which upload of a group has certain bytes."""

    file = UnicodeAttribute()


class WithdrawnItem(Item, discriminator="withdrawn"):
    """An upload that was deleted: its object is to be removed, once more when nobody can post it any more."""


class InboxItem(Item, discriminator="inbox"):
    """A deleted run of an external engine, which may still deliver, `until` then, with the form that it was given."""

    until = Moment()


class WorkflowItem(Item, discriminator="workflow"):
    """What changes about a workflow while groups work with it."""

    workflow = UnicodeAttribute()
    version = UnicodeAttribute()
    board = UnicodeAttribute(null=True)
    next_board = UnicodeAttribute(null=True)
    ranking_version = NumberAttribute(default=0)
    post_processed = BooleanAttribute(default=False)
    active_run = UnicodeAttribute(null=True)
    last_run = UnicodeAttribute(null=True)
    good_run = UnicodeAttribute(null=True)
    boards_begun = NumberAttribute(default=0)


class TemplateItem(Item, discriminator="template"):
    """A published version: everything about a workflow that the organiser wrote."""

    workflow = UnicodeAttribute()
    version = UnicodeAttribute()
    name = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    instructions = UnicodeAttribute(null=True)
    template = Json()
    files = Json()
    executables = Json(null=True)
    folders = Json(null=True)
    public = Json(null=True)
    board = UnicodeAttribute(null=True)
    published_at = Moment()


class RebuildItem(Item, discriminator="rebuild"):
    """A board that is being filled from kept result files, or taken down: domain/ranking/rebuilding.py."""

    workflow = UnicodeAttribute()
    board = UnicodeAttribute()
    phase = UnicodeAttribute()
    group = UnicodeAttribute(null=True)
    run = UnicodeAttribute(null=True)


class CatalogueItem(Item, discriminator="catalogue"):
    """A line of the list of workflows."""

    workflow = UnicodeAttribute()
    name = UnicodeAttribute()
    description = UnicodeAttribute(null=True)


class GroupLinkItem(Item, discriminator="link"):
    """A group as its workflow, its name or one of its users leads to it."""

    group = UnicodeAttribute()
    workflow = UnicodeAttribute()
    name = UnicodeAttribute()


class TokenItem(Item, discriminator="token"):
    """An access token, or all of a user, signed out before its time."""

    expires = NumberAttribute()


class UserNameItem(Item, discriminator="username"):
    """The name of a user, as it is written; its key is of what it looks like."""

    name = UnicodeAttribute()
    user = UnicodeAttribute()
    tried = UnicodeAttribute(default="[]")
    created_at = Moment()


class EntryItem(Item, discriminator="entry"):
    """A ranked run on a board; enough to show its line without reading the run."""

    run = UnicodeAttribute()
    group = UnicodeAttribute()
    created_at = Moment()
    started_at = Moment()
    finished_at = Moment()
    values = Json()


Key = tuple[str, str]
# Parts of a board: every ranked run, and the best one of each group.
ALL, BEST = "ALL", "BEST"


def group(group_id: str) -> Key:
    """Key of a group."""
    return f"GROUP#{group_id}", "GROUP"


def member(group_id: str, user: str) -> Key:
    """Key of a membership; "" as user is where memberships begin, "~" where they end."""
    return f"GROUP#{group_id}", f"MEMBER#{user}"


def upload(group_id: str, file: str) -> Key:
    """Key of an upload; "" as file is the prefix of all."""
    return f"GROUP#{group_id}", f"UPLOAD#{file}"


def content(group_id: str, size: int, sha256: str) -> Key:
    """Key of what leads to the upload that has these bytes."""
    return f"GROUP#{group_id}", f"CONTENT#{size}#{sha256}"


def withdrawn(group_id: str, file: str) -> Key:
    """Key of a deleted upload that may still be posted; the group may be gone before it."""
    return f"WITHDRAWN#{group_id}", f"WITHDRAWN#{file}"


def once(group_id: str, digest: str) -> Key:
    """Key of an idempotency key's digest."""
    return f"GROUP#{group_id}", f"ONCE#{digest}"


def partition(owner: ids.Owner) -> str:
    """The partition a run lives in: its group's, or its workflow's for post-processing."""
    return f"WORKFLOW#{owner.name}" if owner.post_processing else f"GROUP#{owner.name}"


def run(run_id: ids.RunId) -> Key:
    """Key of a run; one without a ULID stands for the prefix of all of its owner's."""
    return partition(run_id.owner), f"RUN#{run_id.ulid}"


def files(run_id: ids.RunId, page: int | None = None) -> Key:
    """Key of page `page` (from 1) of a run's further files; without it the prefix of all."""
    return partition(run_id.owner), f"FILES#{run_id.ulid}#{'' if page is None else format(page, '06d')}"


def gone(run_id: ids.RunId) -> Key:
    """Key of what is left of a deleted run; its group may be gone before it."""
    owner = run_id.owner
    return partition(owner) if owner.post_processing else f"GONE#{owner.name}", f"GONE#{run_id.ulid}"


def inbox(run_id: ids.RunId) -> Key:
    """Key of a deleted run that may still be delivered to."""
    return f"GONE#{run_id.owner.name}", f"INBOX#{run_id.ulid}"


def workflow(workflow_id: str) -> Key:
    """Key of a workflow's changing part."""
    return f"WORKFLOW#{workflow_id}", "WORKFLOW"


def template(workflow_id: str, version: str | None = None) -> Key:
    """Key of a published version; without `version` of the current one."""
    return f"WORKFLOW#{workflow_id}", f"VERSION#{version}" if version else "TEMPLATE"


def rebuild(workflow_id: str, board_id: str) -> Key:
    """Key of a board that is being filled or taken down."""
    return f"WORKFLOW#{workflow_id}", f"REBUILD#{board_id}"


def catalogue(workflow_id: str) -> Key:
    """Key of a workflow's line in the catalogue."""
    return "CATALOGUE", f"WORKFLOW#{workflow_id}"


def workflow_group(workflow_id: str, group_id: str) -> Key:
    """Key of what leads from a workflow to a group; "" as group is the prefix of all."""
    return f"WORKFLOW#{workflow_id}", f"GROUP#{group_id}"


def user_group(user: str, group_id: str) -> Key:
    """Key of what leads from a user to a group; "" as group is the prefix of all."""
    return f"USER#{user}", f"GROUP#{group_id}"


def group_name(workflow_id: str, digest: str) -> Key:
    """Key of a group's name, by the digest of what it looks like."""
    return f"WORKFLOW#{workflow_id}", f"NAME#{digest}"


def board(workflow_id: str, board_id: str, part: str) -> str:
    """Partition of a board; `part` is ALL, BEST or what `own` says of a group."""
    return f"BOARD#{workflow_id}#{board_id}#{part}"


def own(group_id: str) -> str:
    """The part of a board that has a group's own runs."""
    return f"G#{group_id}"


def token(token_id: str) -> Key:
    """Key of a signed-out token."""
    return f"TOKEN#{token_id}", "TOKEN"


def username(digest: str) -> Key:
    """Key of a user's name, by the digest of what it looks like."""
    return f"USERNAME#{digest}", "USERNAME"


def run_of(key: Item | Any) -> ids.RunId:
    """The run id that the keys of a RUN#, GONE# or INBOX# item stand for."""
    kind, _, name = key.pk.partition("#")
    return ids.RunId(ids.Owner(name, kind == "WORKFLOW"), _name(key.sk))


def owner_of(key: Item | Any) -> str:
    """The group or workflow in whose partition an item is."""
    return _name(key.pk)


def withdrawn_file(key: Item | Any) -> str | None:
    """The deleted upload that the keys of a WITHDRAWN# item stand for; None for other items."""
    return _name(key.sk) if key.sk.startswith("WITHDRAWN#") else None


def _name(key: str) -> str:
    return key.partition("#")[2]


def fetch(keys: Iterable[Key]) -> dict[Key, Any]:
    """Read items by key, strongly consistent: one BatchGetItem per 100 keys; absent items are left out."""
    wanted = list(dict.fromkeys(keys))
    return {(item.pk, item.sk): item for item in Item.batch_get(wanted, consistent_read=True)}


def get(key: Key) -> Any | None:
    """Read one item, strongly consistent; None when there is none."""
    try:
        return Item.get(*key, consistent_read=True)
    except Item.DoesNotExist:
        return None


def written(write: Callable[[], object]) -> bool:
    """Make a conditional write of one item; says whether its condition held."""
    try:
        write()
    except (PutError, UpdateError, DeleteError) as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def is_still(attribute: Attribute[Any], value: Any) -> Condition:
    """The condition that an optional attribute is as it was read."""
    return attribute.does_not_exist() if value is None else attribute == value

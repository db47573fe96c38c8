"""Work that is still to be done, because what began it may die: its kinds, and the index that finds it.

Whoever writes something to the table that something else has to follow writes in the same write what is due and from
when (`due`, `due_at`). The reconciler (operations/reconcile.py) comes back to all of it, so what was meant to follow at
once may fail. What did the work, or found nothing to do, takes `due` or the whole item away.
"""

import enum
from collections.abc import Iterator
from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from flowserverless.domain import frozen, ids
from flowserverless.store import table


class Kind(enum.StrEnum):
    """What is due. `due_at` is when the reconciler comes back to it, or, where it says "at once", only their order.

    kind      stands in          what is due                        from when the reconciler does it
    --------  -----------------  ---------------------------------  ---------------------------------------------------
    RUN       an active run      to compare it with its execution   always; past its deadline it is ended
    STOP      a final run        to stop its execution              always
    LEFT      the same one then  to list the files it left          when no step of it can write any more
    GONE      a deleted run      to remove its objects              always; the note stays until no step can write
    GROUP     a closed group     to delete the rest and itself      five minutes after a function last worked on it
    POSTPROC  a workflow         to post-process its ranking        always
    REBUILD   a board            to fill it or to take it down      when the function that works on it must have ended
    FORM      a deleted upload,  to remove what was posted late     when its form cannot be used any more,
              a deleted run      to its inbox                       and every hour until then
    """

    RUN = "RUN"
    STOP = "STOP"
    LEFT = "LEFT"
    GONE = "GONE"
    GROUP = "GROUP"
    POSTPROC = "POSTPROC"
    REBUILD = "REBUILD"
    FORM = "FORM"


class Index(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]
    """What is due, by kind and time; items without `due` are not in it."""

    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due = UnicodeAttribute(hash_key=True)
    due_at = table.Moment(range_key=True)


class Item(Model):
    """An item as the index shows it: without `kind`, by which a query for a table.Item would look in vain."""

    class Meta(table.Item.Meta):
        pass

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    due = UnicodeAttribute()
    due_at = table.Moment()
    index = Index()


# Others may work on these until `due_at`.
PATIENT = {Kind.LEFT, Kind.GROUP, Kind.REBUILD, Kind.FORM}


@frozen.dataclass
class Work:
    """What is due of an item, of which only the key is known."""

    pk: str
    sk: str

    @property
    def owner(self) -> str:
        """The group or workflow that the item belongs to."""
        return table.owner_of(self)

    @property
    def run(self) -> ids.RunId:
        """The run, or deleted run, that the item stands for."""
        return table.run_of(self)

    @property
    def upload(self) -> str | None:
        """The deleted upload that the item stands for; None if it stands for something else."""
        return table.withdrawn_file(self)


def work(kind: Kind, now: datetime) -> Iterator[Work]:
    """What is to be done of a kind at a moment."""
    for item in Item.index.query(kind, Index.due_at <= now if kind in PATIENT else None):
        yield Work(item.pk, item.sk)

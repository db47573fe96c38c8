"""An upload: a file that a group keeps for its runs, announced first and used once its bytes have arrived."""

from datetime import datetime, timedelta

from flowserverless.domain import errors, frozen, limits, runs

# How long a form to post an upload is taken.
FORM = timedelta(hours=1)
# What is posted with a form may be long on its way.
LATEST = timedelta(days=1)


@frozen.dataclass
class Upload:
    """A file that a group keeps for its runs; `pending` until its bytes have arrived complete.

    `uses` counts the runs that were started with it; it is not known of an upload that is older than the counter.
    `formed_at` is when a form to post it was given last, if that was after it was made.
    """

    group: str
    id: str
    name: str
    size: int
    created_at: datetime
    media_type: str | None = None
    sha256: str | None = None
    pending: bool = False
    uses: int | None = None
    formed_at: datetime | None = None

    @property
    def closes_at(self) -> datetime:
        """When nothing that was posted for it can arrive any more."""
        return (self.formed_at or self.created_at) + LATEST

    @property
    def as_taken(self) -> runs.TakenUpload:
        """The upload as a run that takes it keeps it in mind."""
        return runs.TakenUpload(self.size, self.sha256, self.name)


def require_size(size: int, most: int) -> None:
    """Raise TooLarge for a file of more than `most` bytes."""
    if size > most:
        raise errors.TooLarge(
            f"the file has {size} bytes; up to {most} are taken: {limits.parameter('UploadBytes')}",
            errors.FILE_TOO_LARGE,
        )


def require_arrived(upload: Upload, there: bool) -> None:
    """Raise Conflict unless the bytes of an upload are there as they were announced."""
    if not there:
        raise errors.Conflict(f"file '{upload.id}' ({upload.name}) has not arrived complete", errors.UPLOAD_INCOMPLETE)


def unknown(file: str) -> errors.NotFound:
    """That a group has no such upload."""
    return errors.NotFound(f"unknown file '{file[:100]}'")

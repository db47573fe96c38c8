"""What can be wrong with a request, in the words of the domain; only api/problems.py turns these into HTTP statuses.

    Problem
      InvalidRequest       the request can never succeed as it stands
        InvalidCursor      no listing gave this cursor, or another one did
      Unauthenticated      the caller has not proven who they are
      Forbidden            the caller is known and may not do this
      NotFound             there is no such thing, or the caller may not know of it
      Conflict             the thing is in a state in which this cannot be done
      TooLarge             the request brings more than this installation accepts
      UnsupportedType      the operation reads no bodies of this media type
      OverQuota            the group, or the caller, has as much going on as it may
      Unavailable          what an answer needs cannot be reached at the moment
        transactions.Busy  others change the same things all the time

Each kind says in `codes` which codes it may have; the first is the one that it has by itself. docs/problems.md
explains them.
"""

INVALID_REQUEST = "INVALID_REQUEST"
INVALID_ARGUMENTS = "INVALID_ARGUMENTS"
INVALID_PARAMETERS = "INVALID_PARAMETERS"
INVALID_CURSOR = "INVALID_CURSOR"
OUTDATED_CURSOR = "OUTDATED_CURSOR"
TOO_MANY_TO_REORDER = "TOO_MANY_TO_REORDER"
UNKNOWN_USER = "UNKNOWN_USER"
OWNER_NOT_A_MEMBER = "OWNER_NOT_A_MEMBER"
EMAIL_NEEDED = "EMAIL_NEEDED"
INVALID_CODE = "INVALID_CODE"
WEAK_PASSWORD = "WEAK_PASSWORD"
WRONG_PASSWORD = "WRONG_PASSWORD"
FILES_REFUSED = "FILES_REFUSED"
INCOMPLETE = "INCOMPLETE"

UNAUTHENTICATED = "UNAUTHENTICATED"
WRONG_CREDENTIALS = "WRONG_CREDENTIALS"
NOT_ACTIVE = "NOT_ACTIVE"
PASSWORD_RESET_REQUIRED = "PASSWORD_RESET_REQUIRED"
PASSWORD_CHANGE_REQUIRED = "PASSWORD_CHANGE_REQUIRED"

FORBIDDEN = "FORBIDDEN"
NO_ACCESS = "NO_ACCESS"
OWNERS_ONLY = "OWNERS_ONLY"
ORGANISERS_ONLY = "ORGANISERS_ONLY"
REGISTRATION_CLOSED = "REGISTRATION_CLOSED"

NOT_FOUND = "NOT_FOUND"
UNKNOWN_FILE = "UNKNOWN_FILE"
NO_ARCHIVE = "NO_ARCHIVE"
NO_LOG = "NO_LOG"

CONFLICT = "CONFLICT"
RUN_IS_ACTIVE = "RUN_IS_ACTIVE"
RUN_IS_FINAL = "RUN_IS_FINAL"
RUN_IS_SHOWN = "RUN_IS_SHOWN"
RUN_IS_DELETED = "RUN_IS_DELETED"
IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
GROUP_EXISTS = "GROUP_EXISTS"
GROUP_NAME_TAKEN = "GROUP_NAME_TAKEN"
GROUP_IS_ACTIVE = "GROUP_IS_ACTIVE"
OWNER_LEFT_OUT = "OWNER_LEFT_OUT"
NAME_TAKEN = "NAME_TAKEN"
FILE_DELETED = "FILE_DELETED"
FILE_IN_USE = "FILE_IN_USE"
UPLOAD_INCOMPLETE = "UPLOAD_INCOMPLETE"
NOT_EXTERNAL = "NOT_EXTERNAL"
DELIVERED_BEFORE = "DELIVERED_BEFORE"
FILE_CHANGED = "FILE_CHANGED"

TOO_LARGE = "TOO_LARGE"
FILE_TOO_LARGE = "FILE_TOO_LARGE"
REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
MARKER_TOO_LARGE = "MARKER_TOO_LARGE"

UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"

OVER_QUOTA = "OVER_QUOTA"
TOO_MANY_RUNS = "TOO_MANY_RUNS"
TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"

UNAVAILABLE = "UNAVAILABLE"
BUSY = "BUSY"
UNVERIFIABLE_TOKEN = "UNVERIFIABLE_TOKEN"

# What no kind has: these are answered where nothing of ours is asked, or could have refused.
NO_SUCH_OPERATION = "NO_SUCH_OPERATION"
WORKFLOW_OUTDATED = "WORKFLOW_OUTDATED"
INTERNAL_ERROR = "INTERNAL_ERROR"


class Problem(Exception):
    """A refusal that the caller is told about.

    `detail` is a sentence for people, `code` a stable word for programs; `named` are things that it is about.
    """

    codes: tuple[str, ...] = ()

    def __init__(self, detail: str, code: str | None = None, **named: str) -> None:
        super().__init__(detail)
        self.named = named
        self.detail = detail
        self.code = code or type(self).codes[0]


class InvalidRequest(Problem):
    """The request can never succeed as it stands."""

    codes: tuple[str, ...] = (
        INVALID_REQUEST,
        INVALID_ARGUMENTS,
        INVALID_PARAMETERS,
        INVALID_CURSOR,
        OUTDATED_CURSOR,
        TOO_MANY_TO_REORDER,
        UNKNOWN_USER,
        OWNER_NOT_A_MEMBER,
        EMAIL_NEEDED,
        INVALID_CODE,
        WEAK_PASSWORD,
        WRONG_PASSWORD,
        FILES_REFUSED,
        INCOMPLETE,
    )


class InvalidCursor(InvalidRequest):
    """A text was given as a cursor that no listing gave, or another listing."""

    codes: tuple[str, ...] = (INVALID_CURSOR,)

    def __init__(self) -> None:
        super().__init__("this cursor is not one that a listing gave")


class Unauthenticated(Problem):
    """The caller has not proven who they are."""

    codes: tuple[str, ...] = (
        UNAUTHENTICATED,
        WRONG_CREDENTIALS,
        NOT_ACTIVE,
        PASSWORD_RESET_REQUIRED,
        PASSWORD_CHANGE_REQUIRED,
    )


class Forbidden(Problem):
    """The caller is known and may not do this."""

    codes: tuple[str, ...] = (FORBIDDEN, NO_ACCESS, OWNERS_ONLY, ORGANISERS_ONLY, REGISTRATION_CLOSED)


class NotFound(Problem):
    """There is no such thing, or nothing of it that the caller may know of."""

    codes: tuple[str, ...] = (NOT_FOUND, UNKNOWN_FILE, UNKNOWN_USER, NO_ARCHIVE, NO_LOG)


class Conflict(Problem):
    """The thing is in a state in which this cannot be done."""

    codes: tuple[str, ...] = (
        CONFLICT,
        RUN_IS_ACTIVE,
        RUN_IS_FINAL,
        RUN_IS_SHOWN,
        RUN_IS_DELETED,
        IDEMPOTENCY_KEY_REUSED,
        GROUP_EXISTS,
        GROUP_NAME_TAKEN,
        GROUP_IS_ACTIVE,
        OWNER_LEFT_OUT,
        NAME_TAKEN,
        FILE_DELETED,
        FILE_IN_USE,
        UPLOAD_INCOMPLETE,
        NOT_EXTERNAL,
        DELIVERED_BEFORE,
        FILE_CHANGED,
    )


class TooLarge(Problem):
    """The request brings more than this installation accepts."""

    codes: tuple[str, ...] = (TOO_LARGE, FILE_TOO_LARGE, REQUEST_TOO_LARGE, MARKER_TOO_LARGE)


class UnsupportedType(Problem):
    """The request's body is of a media type that the operation does not read."""

    codes: tuple[str, ...] = (UNSUPPORTED_MEDIA_TYPE,)


class OverQuota(Problem):
    """The group has as much going on as it may; the same request can succeed later."""

    codes: tuple[str, ...] = (OVER_QUOTA, TOO_MANY_RUNS, TOO_MANY_ATTEMPTS)


class Unavailable(Problem):
    """Something that is needed for an answer cannot be reached; the same request can succeed in a moment."""

    codes: tuple[str, ...] = (UNAVAILABLE, BUSY, UNVERIFIABLE_TOKEN)

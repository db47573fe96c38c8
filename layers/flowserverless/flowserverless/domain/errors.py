"""What can be wrong with a request, in the words of the domain; only api/problems.py turns these into HTTP statuses."""


class Problem(Exception):
    """A refusal that the caller is told about.

    `detail` is a sentence for people, `code` a stable word for programs; `named` are things that it is about.
    """

    code = "PROBLEM"

    def __init__(self, detail: str, code: str | None = None, **named: str) -> None:
        super().__init__(detail)
        self.named = named
        self.detail = detail
        self.code = code or type(self).code


class InvalidRequest(Problem):
    """The request can never succeed as it stands."""

    code = "INVALID_REQUEST"


class InvalidCursor(InvalidRequest):
    """A text was given as a cursor that no listing gave, or another listing."""

    code = "INVALID_CURSOR"

    def __init__(self) -> None:
        super().__init__("this cursor is not one that a listing gave")


class Unauthenticated(Problem):
    """The caller has not proven who they are."""

    code = "UNAUTHENTICATED"


class Forbidden(Problem):
    """The caller is known and may not do this."""

    code = "FORBIDDEN"


class NotFound(Problem):
    """There is no such thing, or nothing of it that the caller may know of."""

    code = "NOT_FOUND"


class Conflict(Problem):
    """The thing is in a state in which this cannot be done."""

    code = "CONFLICT"


class TooLarge(Problem):
    """The request brings more than this installation accepts."""

    code = "TOO_LARGE"


class UnsupportedType(Problem):
    """The request's body is of a media type that the operation does not read."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class OverQuota(Problem):
    """The group has as much going on as it may; the same request can succeed later."""

    code = "OVER_QUOTA"


class Unavailable(Problem):
    """Something that is needed for an answer cannot be reached; the same request can succeed in a moment."""

    code = "UNAVAILABLE"

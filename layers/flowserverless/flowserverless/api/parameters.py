"""Parameters of paths, queries and headers that several operations take, and queries that no operation takes."""

import re
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from flowserverless.api import refusals
from flowserverless.domain import errors, runs

# What caches and pages that link here add to a URL; it means nothing to any operation.
ADDED = re.compile(r"_|utm_\w+|fbclid|gclid")
WHOLE = re.compile(r"-?[0-9]+")
Json = dict[str, Any]

GroupId = Annotated[str, Path(description="Identifier of a group")]
RunId = Annotated[str, Path(description="Identifier of a run")]
UserId = Annotated[str, Path(description="Identifier or name of a user")]
WorkflowId = Annotated[str, Path(description="Identifier of a workflow")]
FileId = Annotated[str, Path(description="Identifier of a file, as its listing shows it")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many to show at most")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next` of the page before")]
Order = Annotated[str | None, Query(alias="orderBy", max_length=2000, description="col[:asc|desc],...")]
All = Annotated[str | None, Query(alias="includeAll", description="Every run, not only the best of each group")]
Accept = Annotated[str | None, Header()]
Step = Annotated[int | None, Query(ge=0, le=999, description="Number of the step from 0; by default the last begun")]
Tail = Annotated[
    int | None, Query(ge=1, le=1_000_000, description="Only the last so many bytes, as text in the answer")
]


def check_once(event: Json) -> None:
    """Raise InvalidRequest for a parameter that stands in the query several times."""
    given = event.get("multiValueQueryStringParameters") or {}
    repeated = [name for name, values in given.items() if len(values) > 1 and not ADDED.fullmatch(name)]
    if repeated:
        raise errors.InvalidRequest(f"the query has the parameter '{repeated[0][:100]}' several times; send it once")


def check_query(event: Json, known: list[str]) -> None:
    """Raise InvalidRequest for a parameter that is not one of these, and for a limit that is no whole number."""
    given = event.get("multiValueQueryStringParameters") or {}
    unknown = [name for name in given if name not in known and not ADDED.fullmatch(name)]
    if unknown:
        raise errors.InvalidRequest(f"the query {refusals.unknown('parameter', unknown, known)}")
    # Python would take digits of any script, blanks around them and lines between them.
    if "limit" in known and not WHOLE.fullmatch(*given.get("limit", ["0"])):
        raise errors.InvalidRequest("the query parameter 'limit' has to be a whole number")


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

"""Parameters of paths, queries and headers that several operations take, as the resolver validates them."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

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

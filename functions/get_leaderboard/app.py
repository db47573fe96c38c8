"""GET /workflows/{workflowId}/leaderboard: the ranking, as JSON or as CSV."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from flowserverless import api, leaderboard, listings, views

app = api.app(public=True)
Order = Annotated[str | None, Query(alias="orderBy", max_length=2000, description="col[:asc|desc],...")]
All = Annotated[str | None, Query(alias="includeAll", description="Every run, not only the best of each group")]
CONTENT = {"application/json": {"model": views.Leaderboard}, "text/csv": {"schema": {"type": "string"}}}


@app.get(
    "/workflows/<workflowId>/leaderboard",
    **api.operation("get_leaderboard", 200, tag="workflows", public=True, content=CONTENT),
)
def get_leaderboard(
    workflowId: api.WorkflowId,
    order: Order = None,
    everything: All = None,
    limit: api.Limit = 1000,
    cursor: api.Cursor = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response[Any]:
    """A page of the ranking; `Accept: text/csv` gives a table with labels as header."""
    board = leaderboard.show(workflowId, order, listings.switch(everything), limit, cursor)
    if api.wants_csv(accept):
        return api.as_csv(views.leaderboard_csv(board), board.get("next"))
    return Response(200, "application/json", board)


handler = api.handler(app)

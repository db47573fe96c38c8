"""GET /workflows/{workflowId}/leaderboard: the ranking, as JSON or as CSV."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from flowserverless import api, leaderboard, listings, views

app = api.app(public=True)
Order = Annotated[str | None, Query(alias="orderBy", max_length=2000, description="col[:asc|desc],...")]
All = Annotated[str | None, Query(alias="includeAll", description="Every run, not only the best of each group")]


@app.get(
    "/workflows/<workflowId>/leaderboard",
    **api.operation("get_leaderboard", 200, tag="workflows", public=True),
)
def get_leaderboard(
    workflowId: api.WorkflowId,
    order: Order = None,
    everything: All = None,
    limit: api.Limit = 1000,
    cursor: api.Cursor = None,
    accept: Annotated[str | None, Header()] = None,
) -> Any:
    """A page of the ranking; `Accept: text/csv` gives a table with labels as header."""
    board = leaderboard.show(workflowId, order, listings.switch(everything), limit, cursor)
    return api.as_csv(views.leaderboard_csv(board)) if api.wants_csv(accept) else board


handler = api.handler(app)

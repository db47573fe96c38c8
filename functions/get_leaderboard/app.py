"""GET /workflows/{workflowId}/leaderboard: the ranking, as JSON or as CSV."""

from flowserverless import api
from flowserverless.api import handles, leaderboard, parameters

app = api.App(tag="workflows", access="anybody")


@app.get("/workflows/<workflowId>/leaderboard", content={"application/json": handles.Leaderboard, "text/csv": str})
def get_leaderboard(
    workflowId: api.WorkflowId,
    order: api.Order = None,
    everything: api.All = None,
    limit: api.Limit = 1000,
    cursor: api.Cursor = None,
    accept: api.Accept = None,
) -> api.Answer:
    """A page of the ranking; `Accept: text/csv` gives a table with labels as header."""
    board = leaderboard.show(workflowId, order, parameters.switch(everything), limit, cursor)
    return api.as_accepted(accept, board, leaderboard.csv)


handler = app.handler()

"""GET /groups/{groupId}/runs: the group's runs, newest first."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from flowserverless import api
from flowserverless.api import handles, listings, parameters
from flowserverless.auth import permissions

app = api.App(tag="runs")
State = Annotated[str | None, Query(description="Only runs in this state", examples=["SUCCESS"])]


@app.get("/groups/<groupId>/runs")
def list_runs(
    groupId: api.GroupId, state: State = None, limit: api.Limit = 1000, cursor: api.Cursor = None
) -> handles.RunListing:
    """List runs of a group, newest first; `next` leads to the following page."""
    group = permissions.group(app.caller(), groupId)
    return listings.runs_of(group, parameters.state(state), limit, cursor)


handler = app.handler()

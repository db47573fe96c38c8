"""GET /users: names of users, for those who are signed in."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from flowserverless import api
from flowserverless.api import handles, user_views
from flowserverless.aws import cognito

app = api.App(tag="users")
Prefix = Annotated[str, Query(max_length=128, description="How the names begin")]
# Cognito's own cursor is inside, which is long.
Cursor = Annotated[str | None, Query(max_length=6000, description="`next` of the page before")]


@app.get("/users", refuses=[429])
def list_users(query: Prefix = "", limit: api.Limit = 1000, cursor: Cursor = None) -> handles.UserListing:
    """List users by the beginning of their name: all of them, up to 1000; `next` says whether there are more."""
    found, following = cognito.search(query, limit, user_views.after(cursor))
    return user_views.page(found, following)


handler = app.handler()

"""DELETE /users/{userId}/tokens: an organiser ends every session of a user."""

from flowserverless import api, clock
from flowserverless.api import handles, user_views
from flowserverless.auth import authorize
from flowserverless.operations import revoke

app = api.App()


@app.delete("/users/<userId>/tokens", **api.operation("revoke_tokens", 200, 429, tag="users"))
def revoke_tokens(userId: api.UserId) -> handles.SignedOut:
    """Refuse every token that a user has, by id or name; a deleted user is known by the id only."""
    authorize.organiser(api.caller(app), "only organisers sign other users out")
    return user_views.signed_out(*revoke.tokens(userId, clock.now()))


handler = api.handler(app)

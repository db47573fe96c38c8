"""DELETE /users/{userId}/tokens: an organiser ends every session of a user."""

from flowserverless import api, clock
from flowserverless.api import handles, user_views
from flowserverless.auth import permissions
from flowserverless.operations import revoke

app = api.App(tag="users")


@app.delete("/users/<userId>/tokens", refuses=[429])
def revoke_tokens(userId: api.UserId) -> handles.SignedOut:
    """Refuse every token that a user has, by id or name; a deleted user is known by the id only."""
    permissions.organiser(app.caller(), "only organisers sign other users out")
    return user_views.signed_out(*revoke.tokens(userId, clock.now()))


handler = app.handler()

"""DELETE /users/{userId}/tokens: an organiser ends every session of a user."""

from flowserverless import access, api, revocation, user_views

app = api.app()


@app.delete("/users/<userId>/tokens", **api.operation("revoke_tokens", 200, 429, tag="users"))
def revoke_tokens(userId: api.UserId) -> user_views.SignedOut:
    """Refuse every token that a user has, by id or name; a deleted user is known by the id only."""
    access.organiser(access.caller(app), "only organisers sign other users out")
    return revocation.revoke(userId, api.now())


handler = api.handler(app)

"""POST /users/logout: the token that the request brings is refused from now on."""

from flowserverless import api, credentials, user_views
from flowserverless.store import signouts

# Open, because a repeated call comes with a token that is refused already, and is no mistake.
app = api.app(public=True)


@app.post("/users/logout", **api.operation("logout_user", 200, tag="users"))
def logout_user() -> user_views.SignedOut:
    """Sign out."""
    said = api.authorizer(app)
    if said.get("user"):
        signouts.sign_out(said["tokenId"], int(said["expires"]))
        return {"id": said["user"], "username": said["name"]}
    if said.get("problem") == credentials.SIGNED_OUT:
        return {}
    raise credentials.refusal(said.get("problem", ""))


handler = api.handler(app)

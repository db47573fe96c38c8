"""POST /users/logout: the token that the request brings is refused from now on."""

from flowserverless import api
from flowserverless.api import handles
from flowserverless.auth import credentials
from flowserverless.store import revocations

# Open, because a repeated call comes with a token that is refused already, and is no mistake.
app = api.App(public=True)


@app.post("/users/logout", **api.operation("logout_user", 200, tag="users"))
def logout_user() -> handles.SignedOut:
    """Sign out."""
    said = api.authorizer(app)
    if said.get("user"):
        revocations.sign_out(said["tokenId"], int(said["expires"]))
        return {"id": said["user"], "username": said["name"]}
    if said.get("problem") == credentials.SIGNED_OUT:
        return {}
    raise credentials.refusal(said.get("problem", ""))


handler = api.handler(app)

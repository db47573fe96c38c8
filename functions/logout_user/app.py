"""POST /users/logout: the token that the request brings is refused from now on."""

from flowserverless import api
from flowserverless.api import handles
from flowserverless.auth import credentials
from flowserverless.store import revocations

# Open, because a repeated call comes with a token that is refused already, and is no mistake.
app = api.App(tag="users", access="users, signed out too")


@app.post("/users/logout")
def logout_user() -> handles.SignedOut:
    """Sign out."""
    said = app.said()
    if said.get("user"):
        revocations.sign_out(said["tokenId"], int(said["expires"]))
        return {"id": said["user"], "username": said["name"]}
    if said.get("problem") == credentials.SIGNED_OUT:
        return {}
    raise credentials.refusal(said.get("problem", ""))


handler = app.handler()

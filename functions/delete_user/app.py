"""POST /users/delete: the caller, who knows the password, is no user any more."""

from flowserverless import api, clock
from flowserverless.api import handles, requests
from flowserverless.operations import delete

app = api.App()


@app.post("/users/delete", **api.operation("delete_user", 200, 429, tag="users"))
def delete_user(body: requests.DeleteUser) -> handles.UserHandle:
    """Delete the caller's account. Groups, runs and rows of leaderboards stay, without the name."""
    who = api.caller(app)
    delete.user(who.user, who.name, body.password, clock.now())
    return {"id": who.user, "username": who.name}


handler = api.handler(app)

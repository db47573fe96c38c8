"""POST /users/delete: the caller, who knows the password, is no user any more."""

from flowserverless import api, clock
from flowserverless.api import handles, requests
from flowserverless.operations import delete

app = api.App(tag="users")


@app.post("/users/delete", refuses=[429])
def delete_user(body: requests.DeleteUser) -> handles.UserHandle:
    """Delete the caller's account. Groups, runs and rows of leaderboards stay, without the name."""
    who = app.caller()
    delete.user(who.user, who.name, body.password, clock.now())
    return {"id": who.user, "username": who.name}


handler = app.handler()

"""POST /users/password/reset: a new password by the code that was sent by e-mail."""

from flowserverless import api
from flowserverless.api import handles, requests
from flowserverless.operations import reset

app = api.App(tag="users", access="anybody")


@app.post("/users/password/reset", refuses=[429])
def reset_password(body: requests.ResetPassword) -> handles.UserHandle:
    """Set a new password; every token that the user has is refused from now on."""
    user = reset.password(body.user, body.code, body.password)
    return {"id": user.id, "username": user.name}


handler = app.handler()

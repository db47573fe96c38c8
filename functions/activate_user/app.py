"""POST /users/activate: the code that was sent by e-mail makes a registered user active."""

from flowserverless import api
from flowserverless.api import handles, requests
from flowserverless.aws import cognito

app = api.App(tag="users", access="anybody")


@app.post("/users/activate", refuses=[429])
def activate_user(body: requests.ActivateUser) -> handles.UserHandle:
    """Activate a user."""
    user = cognito.activate(body.user, body.code)
    return {"id": user.id, "username": user.name}


handler = app.handler()

"""POST /users/password/request: send a code for a new password to the user's e-mail address."""

from flowserverless import api
from flowserverless.api import handles, requests
from flowserverless.aws import cognito

app = api.App(tag="users", access="anybody")


@app.post("/users/password/request", refuses=[429])
def request_password_reset(body: requests.RequestPasswordReset) -> handles.ResetRequest:
    """Ask for a code, which only the e-mail holds; the answer is the same whether or not there is such a user."""
    cognito.request_password_reset(body.username)
    return {"requestId": body.username}


handler = app.handler()

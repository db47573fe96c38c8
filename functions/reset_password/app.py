"""POST /users/password/reset: a new password by the code that was sent by e-mail."""

from flowserverless import api, clock
from flowserverless.api import handles, requests
from flowserverless.aws import cognito
from flowserverless.store import revocations

app = api.App(public=True)


@app.post("/users/password/reset", **api.operation("reset_password", 200, 429, tag="users", public=True))
def reset_password(body: requests.ResetPassword) -> handles.UserHandle:
    """Set a new password; every token that the user has is refused from now on."""
    user = cognito.reset_password(body.user, body.code, body.password)
    # After the reset, because until then others could sign in by the old password.
    revocations.sign_out_everywhere(user.id, clock.now())
    return {"id": user.id, "username": user.name}


handler = api.handler(app)

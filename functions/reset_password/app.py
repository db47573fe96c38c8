"""POST /users/password/reset: a new password by the code that was sent by e-mail."""

from flowserverless import api, user_requests, user_views, users
from flowserverless.store import signouts

app = api.app(public=True)


@app.post("/users/password/reset", **api.operation("reset_password", 200, 429, tag="users", public=True))
def reset_password(body: user_requests.ResetPassword) -> user_views.UserHandle:
    """Set a new password; every token that the user has is refused from now on."""
    user = users.reset_password(body.user, body.code, body.password)
    # After the reset, because until then others could sign in by the old password.
    signouts.sign_out_everywhere(user.id, api.now())
    return {"id": user.id, "username": user.name}


handler = api.handler(app)

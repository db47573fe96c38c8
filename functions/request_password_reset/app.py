"""POST /users/password/request: send a code for a new password to the user's e-mail address."""

from flowserverless import api, user_requests, user_views, users

app = api.app(public=True)
described = api.operation("request_password_reset", 200, 429, tag="users", public=True)


@app.post("/users/password/request", **described)
def request_password_reset(body: user_requests.RequestPasswordReset) -> user_views.ResetRequest:
    """Ask for a code, which only the e-mail holds; the answer is the same whether or not there is such a user."""
    users.request_password_reset(body.username)
    return {"requestId": body.username}


handler = api.handler(app)

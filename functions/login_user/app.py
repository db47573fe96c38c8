"""POST /users/login: a name and a password for a token."""

from flowserverless import api, revocation, user_requests, user_views

app = api.app(public=True)


@app.post("/users/login", **api.operation("login_user", 200, 401, 429, tag="users", public=True))
def login_user(body: user_requests.LogIn) -> user_views.Session:
    """Sign in. Further requests bring the token as `Authorization: Bearer ...` (or as `api_key`)."""
    return user_views.session(revocation.log_in(body.username, body.password))


handler = api.handler(app)

"""PUT /users/password: another password for the caller, who knows the present one."""

from flowserverless import api, revocation, user_requests, user_views

app = api.app()


@app.put("/users/password", **api.operation("change_password", 200, 429, tag="users"))
def change_password(body: user_requests.ChangePassword) -> user_views.Session:
    """Change the password; all sessions end, and the answer is a new one."""
    session = revocation.change_password(api.authorizer(app), body.password, body.new_password, api.now)
    return user_views.session(session)


handler = api.handler(app)

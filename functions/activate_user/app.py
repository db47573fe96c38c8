"""POST /users/activate: the code that was sent by e-mail makes a registered user active."""

from flowserverless import api, user_requests, user_views, users

app = api.app(public=True)


@app.post("/users/activate", **api.operation("activate_user", 200, 429, tag="users", public=True))
def activate_user(body: user_requests.ActivateUser) -> user_views.UserHandle:
    """Activate a user."""
    user = users.activate(body.user, body.code)
    return {"id": user.id, "username": user.name}


handler = api.handler(app)

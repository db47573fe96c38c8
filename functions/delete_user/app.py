"""POST /users/delete: the caller, who knows the password, is no user any more."""

from flowserverless import api, departure, user_requests, user_views

app = api.app()


@app.post("/users/delete", **api.operation("delete_user", 200, 429, tag="users"))
def delete_user(body: user_requests.DeleteUser) -> user_views.UserHandle:
    """Delete the caller's account. Groups, runs and rows of leaderboards stay, without the name."""
    return departure.depart(api.authorizer(app), body.password, api.now())


handler = api.handler(app)

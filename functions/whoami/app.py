"""GET /users/whoami: who is calling."""

from flowserverless import api, user_views

app = api.app()


@app.get("/users/whoami", **api.operation("whoami", 200, tag="users"))
def whoami() -> user_views.Me:
    """Show the user whom the token speaks for."""
    said = api.authorizer(app)
    roles = [role for role in said.get("roles", "").split(",") if role]
    return {"id": said["user"], "username": said["name"], "roles": roles}


handler = api.handler(app)

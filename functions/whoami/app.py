"""GET /users/whoami: who is calling."""

from flowserverless import api
from flowserverless.api import handles

app = api.App()


@app.get("/users/whoami", **api.operation("whoami", 200, tag="users"))
def whoami() -> handles.Me:
    """Show the user whom the token speaks for."""
    said = api.authorizer(app)
    roles = [role for role in said.get("roles", "").split(",") if role]
    return {"id": said["user"], "username": said["name"], "roles": roles}


handler = api.handler(app)

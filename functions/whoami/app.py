"""GET /users/whoami: who is calling."""

from flowserverless import api
from flowserverless.api import handles

app = api.App(tag="users")


@app.get("/users/whoami")
def whoami() -> handles.Me:
    """Show the user whom the token speaks for."""
    said = app.said()
    roles = [role for role in said.get("roles", "").split(",") if role]
    return {"id": said["user"], "username": said["name"], "roles": roles}


handler = app.handler()

"""PUT /users/password: another password for the caller, who knows the present one."""

from flowserverless import api, clock
from flowserverless.api import handles, requests, user_views
from flowserverless.operations import change

app = api.App(tag="users")


@app.put("/users/password", refuses=[429])
def change_password(body: requests.ChangePassword) -> handles.Session:
    """Change the password; all sessions end, and the answer is a new one."""
    session = change.password(app.caller().name, body.password, body.new_password, clock.now)
    return user_views.session(session)


handler = app.handler()

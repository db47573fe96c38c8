"""POST /users/login: a name and a password for a token."""

from flowserverless import api
from flowserverless.api import handles, requests, user_views
from flowserverless.operations import login

app = api.App(tag="users", access="anybody")


@app.post("/users/login", refuses=[401, 429])
def login_user(body: requests.LogIn) -> handles.Session:
    """Sign in. Further requests bring the token as `Authorization: Bearer ...` (or as `api_key`)."""
    return user_views.session(login.user(body.username, body.password))


handler = app.handler()

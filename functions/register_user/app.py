"""POST /users/register: a new user, where the installation lets people register."""

from flowserverless import api, clock, settings
from flowserverless.api import handles, requests, user_views
from flowserverless.domain import users
from flowserverless.operations import register

app = api.App(tag="users", access="anybody")


@app.post("/users/register", answers=201, refuses=[403, 409, 429])
def register_user(body: requests.RegisterUser) -> handles.NewUser:
    """Register; active at once, or with the code that is sent to an e-mail address to be verified."""
    by_code = users.needs_code(settings.current().self_registration, body.email, body.verify)
    user = register.user(body.username, body.password, body.email, by_code, clock.now())
    return user_views.new_user(user, body.email)


handler = app.handler()

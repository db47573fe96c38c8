"""POST /users/register: a new user, where the installation lets people register."""

import os

from flowserverless import api, user_requests, user_views, users

app = api.app(public=True)


@app.post("/users/register", **api.operation("register_user", 201, 403, 409, 429, tag="users", public=True))
def register_user(body: user_requests.RegisterUser) -> user_views.NewUser:
    """Register; active at once, or with the code that is sent to an e-mail address to be verified."""
    by_code = users.needs_code(os.environ.get("SELF_REGISTRATION", "closed"), body.email, body.verify)
    user = users.register(body.username, body.password, body.email, by_code, api.now())
    return user_views.new_user(user, body.email)


handler = api.handler(app)

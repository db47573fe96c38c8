"""POST /users/activate/request: send the code that makes a registered user active once more."""

from flowserverless import api
from flowserverless.api import handles, requests
from flowserverless.aws import cognito

app = api.App(tag="users", access="anybody")


@app.post("/users/activate/request", refuses=[429])
def request_activation(body: requests.RequestActivation) -> handles.ResetRequest:
    """Ask for another code by e-mail; the answer is the same whether or not somebody waits for one."""
    cognito.request_activation(body.user)
    return {"requestId": body.user}


handler = app.handler()

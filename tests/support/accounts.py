"""Users of a pool as the template declares it, and what a test does as one: register, sign in, sign out, change."""

import base64
import contextlib
import json
import time
import types
from datetime import UTC, datetime, timedelta

import pytest
from botocore import awsrequest
from moto.cognitoidp import models

from flowserverless import clock
from flowserverless.aws import clients
from flowserverless.operations import login
from flowserverless.store import revocations
from local import template
from support import gateway

PASSWORD = "correct horse"
STRANGER = "0ada0000-0000-4000-8000-00000000ffff"


@pytest.fixture
def waits(monkeypatch):
    """How long was waited for: nobody sleeps, but the clocks of Cognito and the operations are ahead by as much."""
    seen = []
    monkeypatch.setattr(login, "wait", seen.append)
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(seconds=sum(seen)))
    monkeypatch.setattr(models, "time", types.SimpleNamespace(time=lambda: time.time() + sum(seen)))
    return seen


@pytest.fixture
def user_pool_calls(table, cognito_calls, waits, monkeypatch):
    """An empty user pool: its client, the `calls` that moto does not know, and `failing` to let an operation fail."""
    (declared,) = template.resources("AWS::Cognito::UserPool").values()
    (app,) = template.resources("AWS::Cognito::UserPoolClient").values()
    accepted = ("Policies", "AutoVerifiedAttributes", "UsernameConfiguration", "AccountRecoverySetting")
    client = clients.client("cognito-idp")
    prefix = "before-call.cognito-identity-provider"
    settings = {name: declared[name] for name in accepted}
    pool = client.create_user_pool(PoolName="users", **settings)["UserPool"]["Id"]
    created = client.create_user_pool_client(
        UserPoolId=pool, ClientName="api", ExplicitAuthFlows=app["ExplicitAuthFlows"]
    )
    monkeypatch.setenv("USER_POOL_ID", pool)
    monkeypatch.setenv("USER_POOL_CLIENT_ID", created["UserPoolClient"]["ClientId"])
    monkeypatch.setenv("SELF_REGISTRATION", "open")

    @contextlib.contextmanager
    def failing(operation, code):
        error = {"Error": {"Code": code, "Message": "because"}, "ResponseMetadata": {"HTTPStatusCode": 400}}

        def answer(**_):
            return awsrequest.AWSResponse("", 400, {}, None), error

        client.meta.events.register_first(f"{prefix}.{operation}", answer)
        try:
            yield
        finally:
            client.meta.events.unregister(f"{prefix}.{operation}", answer)

    return types.SimpleNamespace(client=client, pool=pool, calls=cognito_calls, failing=failing)


@pytest.fixture
def post(invoke, user_pool_calls):
    """Call an operation for which the authorizer is not asked."""

    def call(operation, body):
        return gateway.answer(invoke(operation, gateway.event("POST", OPEN[operation], body=body, problem=None)))

    return call


LOG_OUT = ("POST", "/users/logout")
OPEN = {
    "register_user": "/users/register",
    "activate_user": "/users/activate",
    "request_activation": "/users/activate/request",
    "login_user": "/users/login",
    "request_password_reset": "/users/password/request",
    "reset_password": "/users/password/reset",
}


@pytest.fixture
def register(post):
    """Register a user; the answer's body."""

    def call(name, **more):
        answer = post("register_user", credentials(name) | more)
        assert answer.status == 201, answer.body
        return answer.json

    return call


@pytest.fixture
def log_in(post):
    """Try to sign in."""

    def call(name="ada", password=PASSWORD):
        return post("login_user", {"username": name, "password": password})

    return call


def credentials(name):
    """What somebody of a name registers and signs in with."""
    return {"username": name, "password": PASSWORD}


def refused(answer):
    """Status and code of a problem, after a look at its form."""
    problem = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status
    assert problem["message"] == problem["detail"]
    return answer.status, problem["code"]


def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def states(user_pool_calls):
    found = user_pool_calls.client.list_users(UserPoolId=user_pool_calls.pool)["Users"]
    return {user["Username"]: user["UserStatus"] for user in found}


def person(session):
    """How the authorizer introduces whoever signed in."""
    said = claims(session["token"])
    return gateway.Person(said["sub"], said["username"], (), said["jti"], said["exp"])


def sign_out(invoke, **asked):
    return gateway.answer(invoke("logout_user", gateway.event(*LOG_OUT, **asked)))


def is_refused(answer):
    """Whether the authorizer refuses the token that the operation answered."""
    said = claims(answer.json["token"])
    return revocations.is_signed_out(said["jti"], said["sub"], said["auth_time"])

"""Functions and stores against moto, in tables and buckets as template.yaml declares them."""

import contextlib
import functools
import gc
import importlib.util
import json
import os
import pathlib
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

import moto
import pytest
from botocore import awsrequest
from joserfc import jwk
from moto.cognitoidp import models
from moto.utilities import paginator, utils

from flowserverless.aws import clients
from flowserverless.store import transactions
from local import emulator, template
from support import aws_clients, dynamodb_requests, iam, scenario

FUNCTIONS = emulator.PROJECT / "functions"
# What moto keeps lives as long as a test: to look through it for garbage every 700 objects takes a tenth of the time.
gc.set_threshold(200_000, 20, 100)
# Handlers that wait for their next event, by operation: to load one takes longer than most events.
_idle: dict[str, list[Callable[[dict[str, Any], Any], Any]]] = {}
NOTHING = json.dumps({"StartAt": "Nothing", "States": {"Nothing": {"Type": "Pass", "End": True}}})


@pytest.fixture(scope="session")
def dynamodb_endpoint(request: pytest.FixtureRequest) -> str | None:
    """The DynamoDB that --dynamodb-endpoint names; None is moto."""
    endpoint: str | None = request.config.getoption("--dynamodb-endpoint")
    return endpoint


@pytest.fixture
def aws(watched: None, dynamodb_endpoint: str | None) -> Iterator[None]:
    """An empty AWS account."""
    outside = [re.escape(dynamodb_endpoint) + ".*"] if dynamodb_endpoint else []
    with moto.mock_aws(config={"core": {"mock_credentials": False, "passthrough": {"urls": outside}}}):
        yield


@pytest.fixture
def table(aws: None) -> Iterator[str]:
    """The name of the table, which is empty and as the template declares it."""
    (declared,) = template.resources("AWS::DynamoDB::Table").values()
    accepted = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
    name = os.environ["TABLE_NAME"]
    client = aws_clients.of("dynamodb")
    client.create_table(TableName=name, **{key: declared[key] for key in accepted if key in declared})
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    yield name
    client.delete_table(TableName=name)
    client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


@pytest.fixture
def bucket(aws: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the bucket, which is empty."""
    name = "flowserverless-test"
    aws_clients.of("s3").create_bucket(Bucket=name)
    monkeypatch.setenv("BUCKET_NAME", name)
    return name


@pytest.fixture
def state_machine(aws: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ARN of the state machine that executes runs; like the others, it only records what was started."""
    client = aws_clients.of("stepfunctions")
    role = "arn:aws:iam::123456789012:role/any"
    for name in ("remove-files", "collect-files", "rebuild-ranking", "run-workflow"):
        made = client.create_state_machine(name=f"test-{name}", definition=NOTHING, roleArn=role)
    arn: str = made["stateMachineArn"]
    monkeypatch.setenv("STATE_MACHINES", arn.removesuffix("run-workflow"))
    return arn


@pytest.fixture
def cognito_calls(aws: None) -> Iterator[list[dict[str, Any]]]:
    """What was asked of Cognito that moto does not know: to revoke a token, to send a code once more."""
    events, calls = clients.client("cognito-idp").meta.events, []

    def done(params: dict[str, Any], **_: Any) -> tuple[awsrequest.AWSResponse, dict[str, Any]]:
        calls.append(json.loads(params["body"]))
        return awsrequest.AWSResponse(params["url"], 200, {}, None), {}

    names = [f"before-call.cognito-identity-provider.{name}" for name in ("RevokeToken", "ResendConfirmationCode")]
    for name in names:
        events.register(name, done)
    yield calls
    for name in names:
        events.unregister(name, done)


class PageTokens(paginator.TokenDecoder):
    """As Cognito's: whatever is no token is refused, JSON of another kind too, at which moto breaks."""

    def decode(self, token: str) -> Any:
        """The token's content; raises ValueError, as moto expects it."""
        try:
            return super().decode(token)
        except AttributeError:
            raise ValueError("a token is an object") from None


@pytest.fixture
def user_pool(cognito_calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a user pool, which is empty; everybody may register."""
    monkeypatch.setattr(paginator, "TokenDecoder", PageTokens)
    client = aws_clients.of("cognito-idp")
    pool: str = client.create_user_pool(PoolName="users")["UserPool"]["Id"]
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    made = client.create_user_pool_client(UserPoolId=pool, ClientName="api", ExplicitAuthFlows=flows)
    monkeypatch.setenv("USER_POOL_ID", pool)
    monkeypatch.setenv("USER_POOL_CLIENT_ID", made["UserPoolClient"]["ClientId"])
    monkeypatch.setenv("SELF_REGISTRATION", "open")
    return pool


@pytest.fixture
def world(
    invoke: Callable[[str, dict[str, Any]], Any],
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    bucket: str,
    state_machine: str,
) -> scenario.World:
    """The service, into which nothing was published."""
    return scenario.World(invoke, monkeypatch)


@pytest.fixture(scope="session")
def watched() -> Iterator[None]:
    """What functions ask of AWS is noticed; and pools of users are there at once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        iam.watch(monkeypatch)
        keys = types.SimpleNamespace(import_key=lambda _: _key())
        monkeypatch.setattr(models, "jwk", types.SimpleNamespace(RSAKey=keys))
        yield


@functools.cache
def _key() -> jwk.RSAKey:
    """The key of every pool of moto, which is the same one, and takes a tenth of a second to read."""
    return jwk.RSAKey.import_key(utils.load_resource("cognitoidp/resources/jwks-private.json"))


@pytest.fixture
def invoke() -> Callable[[str, dict[str, Any]], Any]:
    """Call the handler of functions/<operation>/app.py with an event, as Lambda would.

    Whatever a test is about: a request over HTTP that is refused has written nothing to the table, and the function's
    policy allows what it did.
    """

    def call(operation: str, event: dict[str, Any]) -> Any:
        with dynamodb_requests.committed() as writes, iam.asked() as asked, _loaded(operation) as handler:
            answer = handler(event, _context(operation))
        if isinstance(answer, dict) and 400 <= answer.get("statusCode", 0) < 500:
            assert not writes, (operation, answer, writes)
        assert not iam.refused(operation, asked)
        return answer

    return call


@contextlib.contextmanager
def _loaded(operation: str) -> Iterator[Callable[[dict[str, Any], Any], Any]]:
    """A handler that nobody else has meanwhile, as Lambda gives an environment one event after the other."""
    idle = _idle.setdefault(operation, [])
    handler = idle.pop() if idle else _handler(FUNCTIONS / operation / "app.py")
    yield handler
    # Not after an exception, which may have left anything behind.
    idle.append(handler)


def _handler(path: pathlib.Path) -> Callable[[dict[str, Any], Any], Any]:
    specification = importlib.util.spec_from_file_location(f"functions_{path.parent.name}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    handler: Callable[[dict[str, Any], Any], Any] = module.handler
    return handler


def _context(operation: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        function_name=operation,
        memory_limit_in_mb=768,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{operation}",
        aws_request_id="11111111-2222-3333-4444-555555555555",
        get_remaining_time_in_millis=lambda: 29_000,
    )


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any], Callable[[], Any]], tuple[Any, Any]]:
    """Let `rival` happen when `operation` has read everything and is about to write; what both answer."""

    def interrupt(operation: Callable[[], Any], rival: Callable[[], Any]) -> tuple[Any, Any]:
        commit = transactions.commit
        answers: list[Any] = []

        def late(compose: Any) -> None:
            if not answers:
                answers.append(None)
                with dynamodb_requests.committed(), iam.asked():
                    answers[0] = rival()
            commit(compose)

        with monkeypatch.context() as during:
            during.setattr(transactions, "commit", late)
            late_answer = operation()
        assert answers, "it wrote without a transaction"
        return answers[0], late_answer

    return interrupt

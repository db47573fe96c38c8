"""What all tests share: no AWS account is ever touched by accident, and every run draws the same examples."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from flowserverless import settings

hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
# What `make check` asks for, where seconds count.
hypothesis.settings.register_profile("few", hypothesis.settings.get_profile("repeatable"), max_examples=10)
hypothesis.settings.load_profile("repeatable")

NO_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="session", autouse=True)
def settings_of_now() -> Iterator[None]:
    """A test may change the environment at any time: settings are read whenever they are asked for, not once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(settings, "current", lambda: settings.read(os.environ))
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where tests run that do not have to run here."""
    parser.addoption(
        "--stack",
        default="local",
        metavar="NAME",
        help="what tests/stack look at: `local` (default) starts an emulator, else a stack in your account",
    )
    parser.addoption(
        "--dynamodb-endpoint",
        metavar="URL",
        help="run the tests of the data layer on this DynamoDB instead of on moto",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take the caller's AWS account out of reach, unless tests were asked for that need it.

    This comes before anything is imported, because clients and table names may be made while modules are.
    """
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        del os.environ[name]
    os.environ["TABLE_NAME"] = f"flowserverless-{os.environ.get('PYTEST_XDIST_WORKER', 'test')}"
    dynamodb = config.getoption("--dynamodb-endpoint")
    if dynamodb:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = dynamodb
        os.environ.setdefault("AWS_REGION", os.environ.get("AWS_DEFAULT_REGION", NO_ACCOUNT["AWS_REGION"]))
    elif config.getoption("--stack") == "local":
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)
        os.environ.update(NO_ACCOUNT)

"""What the tests of the runner share: a store in the place of S3, and bounds on what they start."""

import os
from collections.abc import Iterator

import pytest

from support import runner


@pytest.fixture
def store() -> Iterator[runner.Store]:
    """An empty store."""
    with runner.Store() as store:
        yield store


@pytest.fixture
def marker(request: pytest.FixtureRequest) -> str:
    """A text that every process of the test's step has in its environment."""
    return f"marker-{os.getpid()}-{request.node.name}"


@pytest.fixture
def bounded() -> Iterator[None]:
    """Tests of what a step may start must not become what they test."""
    with runner.at_most(200):
        yield

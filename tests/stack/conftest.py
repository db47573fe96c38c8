"""The deployed service as its users see it: over HTTP, with a look into AWS where a test needs one.

Each pytest worker that gets tests of this folder starts an emulator of its own and deploys the template into
it. All tests of a file run in the same worker (`--dist=loadfile`), so that a worker without such a file starts none.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping

import pytest

from local import deployment, emulator, stack
from support import http

Deploy = Callable[..., stack.Stack]


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest, worker_id: str) -> Iterator[stack.Stack]:
    """The stack under test: what --stack names, or the template freshly deployed into an empty emulator."""
    with _deployed(request, f"test-{worker_id}", {}) as found:
        yield found


@pytest.fixture(scope="module")
def deploy(request: pytest.FixtureRequest, worker_id: str) -> Iterator[Deploy]:
    """Deploys one more stack with other parameters; elsewhere than on this machine --stack has to name such a one."""
    with contextlib.ExitStack() as stacks:
        yield lambda name, parameters, keep=False: stacks.enter_context(
            _deployed(request, f"test-{name}-{worker_id}", parameters, keep)
        )


@pytest.fixture(scope="module")
def service(deployed: stack.Stack) -> http.Visitor:
    """The service, for a stranger."""
    return http.Visitor(deployed.api_url)


@pytest.fixture(scope="module")
def ada(service: http.Visitor) -> http.Visitor:
    """A user."""
    return http.register(service)


@contextlib.contextmanager
def _deployed(
    request: pytest.FixtureRequest, folder: str, parameters: Mapping[str, str], keep: bool = False
) -> Iterator[stack.Stack]:
    name = request.config.getoption("--stack")
    if name != "local":
        yield stack.found(name)
        return
    home = emulator.STATE / folder
    emulator.stop(home)
    shutil.rmtree(home, ignore_errors=True)
    running = emulator.start(home, keep, with_caller=True)
    try:
        yield stack.deploy(deployment.Target(running), parameters)
    finally:
        emulator.stop(home)

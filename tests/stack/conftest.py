"""The deployed service as its users see it: over HTTP, with a look into AWS where a test needs one.

Each pytest worker that gets tests of this folder starts an emulator of its own and deploys the template into
it. All tests of a file run in the same worker (`--dist=loadfile`), so that a worker without such a file starts none.
"""

from collections.abc import Iterator

import pytest

from local import deployment, emulator, stack


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest, worker_id: str) -> Iterator[stack.Stack]:
    """The stack under test: what --stack names, or the template freshly deployed into an empty emulator."""
    name = request.config.getoption("--stack")
    if name != "local":
        yield stack.found(name)
        return
    home = emulator.STATE / f"test-{worker_id}"
    emulator.stop(home)
    running = emulator.start(home, keep=False, with_caller=True)
    try:
        yield stack.deploy(deployment.Target(running), {})
    finally:
        emulator.stop(home)

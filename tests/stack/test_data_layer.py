"""The tests of the data layer, which otherwise run on moto, once more on the emulator's DynamoDB."""

import subprocess
import sys

import pytest

from local import emulator

MODULES = ("rankings", "get_leaderboard", "rebuild_ranking", "post_process")


@pytest.fixture(scope="module")
def endpoint(request, worker_id):
    """A DynamoDB that is not moto: the one that was named, or an emulator's into which nothing is deployed."""
    named = request.config.getoption("--dynamodb-endpoint")
    if named:
        yield named
        return
    home = emulator.STATE / f"data-{worker_id}"
    emulator.stop(home)
    try:
        yield emulator.start(home, keep=False, with_caller=True).url
    finally:
        emulator.stop(home)


@pytest.mark.parametrize("module", MODULES)
def test_what_holds_on_moto_holds_on_the_emulator(endpoint, module):
    tests = f"tests/operations/test_{module}.py"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=--import-mode=importlib"]
    command = [sys.executable, "-m", "pytest", *options, f"--dynamodb-endpoint={endpoint}", tests]
    ended = subprocess.run(command, cwd=emulator.PROJECT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr

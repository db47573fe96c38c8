"""Who sets a limit, in the words of those who could change it."""

import pathlib
import re

import pytest

from flowserverless.domain import limits, runs

ROOT = pathlib.Path(__file__).parents[2]


def named():
    """The parameters of the installation that some code says a limit is set by."""
    sources = (ROOT / "layers/flowserverless/flowserverless").rglob("*.py")
    found = {name for source in sources for name in re.findall(r"limits\.parameter\([\"'](\w+)", source.read_text())}
    return found | {*limits.OF_STEPS.values(), *limits.OF_JOBS.values(), "RunSeconds", "MaxRunSeconds"}


def test_every_parameter_that_is_named_is_one_of_the_template():
    parameters = (ROOT / "template.yaml").read_text().partition("\nParameters:\n")[2].partition("\nConditions:")[0]
    assert named() <= set(re.findall(r"^  (\w+):$", parameters, re.MULTILINE))
    assert {"StepSeconds", "UploadBytes", "MaxActiveRuns"} <= named()


@pytest.mark.parametrize(
    ("seconds", "asked", "said"),
    [
        (3600, None, "3600 seconds that the installation's parameter RunSeconds gives"),
        (90, 90, "90 seconds that `timeoutSeconds` in the run's config gives"),
        (86400, 100_000, "86400 seconds that the installation's parameter MaxRunSeconds gives"),
    ],
)
def test_the_time_of_a_run_is_set_by_its_config_or_the_installation(seconds, asked, said):
    assert said in limits.of_run(seconds, asked)


@pytest.mark.parametrize(
    ("error", "cause", "code", "said"),
    [
        (
            "Runtime.ExitError",
            "RequestId: 1 Error: Runtime exited with error: signal: killed",
            "OUT_OF_MEMORY",
            "StepMemory",
        ),
        ("Sandbox.Timedout", "Task timed out after 900.00 seconds", "TIMEOUT", "15 minutes"),
        ("States.Timeout", "", "TIMEOUT", "15 minutes"),
    ],
)
def test_what_lambda_ends_is_told_with_its_limit(error, cause, code, said):
    reason = runs.failure_reason(error, cause)
    assert reason.code == code
    assert said in reason.detail

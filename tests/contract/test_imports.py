"""What each operation loads before it is called: counted in a fresh process, because that is most of a cold start."""

import concurrent.futures
import dataclasses
import functools
import json
import os
import subprocess
import sys

import pytest

from local import emulator, template

pytestmark = pytest.mark.long
FUNCTIONS = emulator.PROJECT / "functions"
PROGRAM = """
import gc, json, sys
before = set(sys.modules)
import app
print(json.dumps({"modules": sorted(set(sys.modules) - before), "collects": gc.isenabled()}))
"""
# Which operations need a package that most do not; everything else is for all of them.
ONLY = {
    "jwt": {"authorize_request"},
    "multipart": {"upload_file"},
    "isal": {"update_run"},
    "yaml": {"publish_workflow"},
    "boto3": set(),
    "s3transfer": set(),
    # What Powertools makes OpenAPI documents of.
    "aws_lambda_powertools.event_handler.openapi.models": set(),
}

HTTP = ("flowserverless.api", "aws_lambda_powertools.event_handler", "pydantic")


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What importing an operation loads, by names with dots, and whether Python looks for garbage afterwards."""

    modules: frozenset[str]
    collects: bool

    def has(self, module: str) -> bool:
        """Whether this module or package is loaded."""
        return module in self.modules


def routes() -> dict[str, set[str]]:
    """The methods of the API that lead to each operation; none to those that machines call."""
    functions = template.resources("AWS::Serverless::Function").values()
    return {
        function["CodeUri"].rpartition("/")[2]: {
            event["Properties"]["Method"] for event in function.get("Events", {}).values() if event["Type"] == "Api"
        }
        for function in functions
    }


ROUTES = routes()
OPERATIONS = sorted(ROUTES)
MACHINES = [operation for operation in OPERATIONS if not ROUTES[operation]]
READS = [operation for operation in OPERATIONS if ROUTES[operation] and ROUTES[operation] <= {"GET", "HEAD"}]


def load(operation: str) -> Loaded:
    """Import an operation in a process of its own, as Lambda does."""
    environment = {
        "PYTHONPATH": os.pathsep.join(
            map(str, [FUNCTIONS / operation, emulator.PROJECT / "layers" / "flowserverless"])
        ),
        "AWS_LAMBDA_FUNCTION_NAME": operation,
        "AWS_DEFAULT_REGION": emulator.REGION,
    }
    said = subprocess.check_output([sys.executable, "-c", PROGRAM], env=environment, text=True)
    found = json.loads(said)
    return Loaded(frozenset(found["modules"]), found["collects"])


@functools.cache
def everything() -> dict[str, Loaded]:
    """What every operation loads."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(OPERATIONS, pool.map(load, OPERATIONS), strict=True))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_garbage_is_collected_again_when_an_operation_is_loaded(operation):
    assert everything()[operation].collects


@pytest.mark.parametrize("operation", MACHINES)
def test_what_machines_call_loads_no_http(operation):
    loaded = everything()[operation]
    assert not [name for name in HTTP if loaded.has(name)]


@pytest.mark.parametrize("package", ONLY)
def test_a_package_is_loaded_by_those_that_need_it_and_by_no_others(package):
    assert {operation for operation, loaded in everything().items() if loaded.has(package)} == ONLY[package]


def test_what_runs_steps_loads_nothing_but_itself_and_the_standard_library():
    loaded = everything()["run_step"].modules
    assert {module.partition(".")[0] for module in loaded} - sys.stdlib_module_names <= {"app", "runner"}

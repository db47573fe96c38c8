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

# What starts, plans and ends runs; a read shows what these have written.
ACTS = (
    "flowserverless.operations",
    "flowserverless.packages",
    "flowserverless.domain.plans",
    "flowserverless.domain.templates.templates",
    "flowserverless.domain.templates.parameters",
    "flowserverless.domain.templates.steps",
)
# It reads what a step needs, and so stages that step.
STAGES = "get_job_manifest"
WITHOUT_TABLE = ("browse_api", "describe_service", "get_openapi", "list_users", "whoami")
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


@pytest.mark.parametrize("operation", [operation for operation in READS if operation != STAGES])
def test_what_reads_loads_nothing_that_acts(operation):
    loaded = everything()[operation]
    assert not [name for name in ACTS if loaded.has(name)]


@pytest.mark.parametrize("operation", WITHOUT_TABLE)
def test_what_asks_the_table_nothing_does_not_load_it(operation):
    loaded = everything()[operation]
    assert not loaded.has("pynamodb")
    assert not loaded.has("flowserverless.store.table")


def test_a_run_is_shown_without_what_is_shown_of_others_alone():
    loaded = everything()["get_run"]
    others = ("leaderboard", "listings", "group_details", "workflow_details", "user_views", "spreadsheets", "requests")
    assert loaded.has("flowserverless.api.details")
    assert not [name for name in others if loaded.has(f"flowserverless.api.{name}")]


@pytest.mark.parametrize("package", ONLY)
def test_a_package_is_loaded_by_those_that_need_it_and_by_no_others(package):
    assert {operation for operation, loaded in everything().items() if loaded.has(package)} == ONLY[package]


def test_what_runs_steps_loads_nothing_but_itself_and_the_standard_library():
    loaded = everything()["run_step"].modules
    assert {module.partition(".")[0] for module in loaded} - sys.stdlib_module_names <= {"app", "runner"}

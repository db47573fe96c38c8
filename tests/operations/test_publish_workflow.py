"""The report beside a dropped package: faults, and warnings that refuse nothing."""

import json
import platform

import pytest

from flowserverless.store import workflow_items
from support import gateway, packages

KEY = "inbox/workflows/bench.zip"
TEMPLATE = {"workflow": {"steps": [{"name": "work", "action": {"environment": "python:3", "commands": ["true"]}}]}}


@pytest.fixture
def register(world, invoke):
    """Publish a template; the report that stands in the bucket."""

    def call(template):
        world.put(KEY, packages.package(template))
        answer = invoke("publish_workflow", packages.dropped(world.bucket, KEY))
        written = world.s3.get_object(Bucket=world.bucket, Key=f"{KEY}.report.json")["Body"]
        assert json.load(written) == answer
        return answer

    return call


def test_a_workflow_with_warnings_is_accepted_and_its_report_names_them(register):
    report = register(TEMPLATE | {"deadline": "2026-12-01"})
    assert (report["status"], report["faults"]) == ("accepted", [])
    (warning,) = report["warnings"]
    assert warning["place"] == "workflow.json deadline"
    assert "is ignored" in warning["message"]
    assert workflow_items.get("bench").version == report["version"]


def test_an_unchanged_package_is_warned_of_again(register):
    first, second = (register(TEMPLATE | {"deadline": "2026-12-01"}) for _ in range(2))
    assert second == first | {"status": "unchanged"}


def test_the_report_of_a_refused_package_has_its_warnings_too(register):
    report = register({"deadline": "2026-12-01"})
    assert report["status"] == "rejected"
    assert [warning["place"] for warning in report["warnings"]] == ["workflow.json deadline"]


def test_a_package_without_anything_to_notice_has_no_warnings(register):
    assert register(TEMPLATE)["warnings"] == []


def step(image):
    return {"name": "work", "action": {"environment": image, "commands": ["true"]}}


@pytest.mark.parametrize("image", ["python", "python:latest", "python:3", "python:" + platform.python_version()])
def test_an_official_python_that_the_installation_has_is_accepted(register, image):
    report = register({"workflow": {"steps": [step(image)]}})
    assert (report["status"], report["warnings"]) == ("accepted", [])


def test_another_python_is_accepted_and_its_report_says_which_one_executes_it(register):
    report = register({"workflow": {"steps": [step("python:3.7")]}})
    [warning] = report["warnings"]
    assert report["status"] == "accepted"
    assert warning["place"] == "workflow.json workflow.steps[0].action.environment"
    assert f"'python:3.7' is executed by Python {platform.python_version()}" in warning["message"]


@pytest.mark.parametrize("image", ["python:3.99", "python:4.1", "python:2.7"])
def test_a_python_that_there_is_not_is_refused(register, image):
    report = register({"workflow": {"steps": [step(image)]}})
    assert report["status"] == "rejected"
    [fault] = report["faults"]
    assert fault["place"] == "workflow.json workflow.steps[0].action"
    assert f"'{image}', which is no Python 3 that there is" in fault["message"]


def test_the_service_says_which_python_and_platform_steps_have(invoke, table, bucket, user_pool):
    described = gateway.answer(invoke("describe_service", gateway.event("GET", "/"))).json
    assert described["python"] == ".".join(platform.python_version_tuple()[:2])
    assert described["platform"].endswith(f"_{platform.machine()}")

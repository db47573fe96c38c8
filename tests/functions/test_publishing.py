"""The report beside a dropped package: faults, and warnings that refuse nothing."""

import json

import pytest
import workbench

from flowserverless.store import workflows

KEY = "inbox/workflows/bench.zip"
TEMPLATE = {"workflow": {"steps": [workbench.STEP]}}


@pytest.fixture
def register(invoke, monkeypatch, table, bucket, state_machine):
    """Publish a template; the report that stands in the bucket."""
    bench = workbench.Bench(invoke, monkeypatch)

    def call(template):
        bench.put(KEY, workbench.package(template))
        answer = invoke("register_workflow", workbench.dropped(bench.bucket, KEY))
        written = bench.s3.get_object(Bucket=bench.bucket, Key=f"{KEY}.report.json")["Body"]
        assert json.load(written) == answer
        return answer

    return call


def test_a_workflow_with_warnings_is_accepted_and_its_report_names_them(register):
    report = register(TEMPLATE | {"deadline": "2026-12-01"})
    assert (report["status"], report["faults"]) == ("accepted", [])
    (warning,) = report["warnings"]
    assert warning["place"] == "workflow.json deadline"
    assert "is ignored" in warning["message"]
    assert workflows.get("bench").version == report["version"]


def test_an_unchanged_package_is_warned_of_again(register):
    first, second = (register(TEMPLATE | {"deadline": "2026-12-01"}) for _ in range(2))
    assert second == first | {"status": "unchanged"}


def test_the_report_of_a_refused_package_has_its_warnings_too(register):
    report = register({"deadline": "2026-12-01"})
    assert report["status"] == "rejected"
    assert [warning["place"] for warning in report["warnings"]] == ["workflow.json deadline"]


def test_a_package_without_anything_to_notice_has_no_warnings(register):
    assert register(TEMPLATE)["warnings"] == []

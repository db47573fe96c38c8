"""What the template promises and no emulator enforces: limits, protection, isolation, and narrow policies."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flowserverless.api import problems
from local import emulator, template

DOCUMENT = template.load()
RESOURCES = DOCUMENT["Resources"]


def properties(name: str) -> Any:
    """The properties of a resource."""
    return RESOURCES[name]["Properties"]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy of the template, with the resource it belongs to."""
    for name, resource in RESOURCES.items():
        declared = resource.get("Properties", {}).get("Policies", [])
        for policy in declared if isinstance(declared, list) else []:
            document = policy.get("PolicyDocument", policy) if isinstance(policy, dict) else {}
            for statement in document.get("Statement", []):
                yield name, statement["Fn::If"][1] if "Fn::If" in statement else statement


def test_the_role_of_strangers_code_can_write_its_log_and_nothing_else() -> None:
    (policy,) = properties("RunStepRole")["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert "/steps:*" in str(statement["Resource"])
    function = properties("RunStepFunction")
    assert "Policies" not in function
    assert "Environment" not in function


def test_strangers_code_gets_no_layer_and_no_names_of_ours() -> None:
    assert set(RESOURCES["RunStepFunction"]["IgnoreGlobals"]) >= {"Layers", "Environment"}
    given = set(DOCUMENT["Globals"]["Function"])
    assert given == {
        *("Runtime", "Architectures", "Handler", "MemorySize", "Timeout", "Tracing", "LoggingConfig"),
        *("Layers", "Environment"),
    }


def test_strangers_code_gets_the_packages_of_notebooks_only_where_they_were_asked_for() -> None:
    asked = ["HasNotebooks", [{"Ref": "NotebooksLayer"}], {"Ref": "AWS::NoValue"}]
    assert properties("RunStepFunction")["Layers"] == {"Fn::If": asked}
    assert DOCUMENT["Conditions"]["HasNotebooks"] == {"Fn::Equals": [{"Ref": "Notebooks"}, "true"]}
    assert RESOURCES["NotebooksLayer"]["Condition"] == "HasNotebooks"
    assert DOCUMENT["Parameters"]["Notebooks"]["Default"] == "false"


def test_only_an_installation_with_notebooks_builds_their_layer() -> None:
    folders = {asked: each["Folder"] for asked, each in DOCUMENT["Mappings"]["NotebooksLayers"].items()}
    assert properties("NotebooksLayer")["ContentUri"] == {
        "Fn::FindInMap": ["NotebooksLayers", {"Ref": "Notebooks"}, "Folder"]
    }
    assert set(folders) == set(DOCUMENT["Parameters"]["Notebooks"]["AllowedValues"])
    assert folders["true"] == "layers/notebooks"
    makefile = (template.TEMPLATE.parent / folders["false"] / "Makefile").read_text("utf-8")
    assert "build-NotebooksLayer:" in makefile
    assert "pip" not in makefile


def test_functions_are_told_whether_notebooks_can_be_executed() -> None:
    assert DOCUMENT["Globals"]["Function"]["Environment"]["Variables"]["NOTEBOOKS"] == {"Ref": "Notebooks"}


def test_tenants_and_subnets_can_be_switched_on() -> None:
    function = properties("RunStepFunction")
    assert function["TenancyConfig"]["Fn::If"][:2] == ["HasTenants", {"TenantIsolationMode": "PER_TENANT"}]
    assert function["VpcConfig"]["Fn::If"][0] == "HasStepSubnets"
    assert function["ReservedConcurrentExecutions"]["Fn::If"][0] == "ReservesSteps"


def test_no_policy_has_a_wildcard_where_there_is_something_narrower() -> None:
    # What these do has no resource to name.
    unbound = {
        "logs:CreateLogDelivery",
        "states:SendTaskSuccess",
        "batch:DescribeJobs",
        "batch:ListJobs",
        "ecr:GetAuthorizationToken",
    }
    for name, statement in statements():
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any(action.endswith("*") for action in actions), name
        if statement["Resource"] == "*":
            assert unbound & set(actions), (name, actions)


def test_the_table_and_the_bucket_are_protected() -> None:
    table, bucket = properties("Table"), properties("Bucket")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (policy,) = properties("BucketPolicy")["PolicyDocument"]["Statement"]
    assert (policy["Effect"], policy["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    for name in ("Table", "Bucket", "UserPool"):
        assert RESOURCES[name]["DeletionPolicy"] == "Retain"


def test_answers_of_api_gateway_itself_are_problems_too() -> None:
    api = properties("Api")
    kinds = api["GatewayResponses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "ACCESS_DENIED", "THROTTLED", "REQUEST_TOO_LARGE"} <= set(
        kinds
    )
    for kind in kinds.values():
        (media_type,) = kind["ResponseTemplates"]
        assert media_type == "application/problem+json"
    assert api["MethodSettings"][0]["ThrottlingRateLimit"] == {"Ref": "ApiRate"}


@pytest.mark.parametrize("kind", properties("Api")["GatewayResponses"])
def test_answers_of_api_gateway_itself_have_the_form_and_headers_of_all_others(kind: str) -> None:
    response = properties("Api")["GatewayResponses"][kind]
    body = json.loads(response["ResponseTemplates"]["application/problem+json"])
    assert body.keys() == {"type", "title", "status", "detail", "message", "code"}
    assert body["status"] == response["StatusCode"]
    assert (body["message"], body["type"]) == (body["detail"], problems.type_of(body["code"]))
    sent = {name.lower() for name in response["ResponseParameters"]["Headers"]}
    wanted = {"x-request-id", "x-content-type-options", "strict-transport-security", "cache-control"}
    assert wanted | {"access-control-allow-origin"} <= sent
    assert ("retry-after" in sent) == (body["status"] == 503)


@pytest.mark.parametrize(
    "name", [name for name, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::StateMachine"]
)
def test_state_machines_are_named_so_that_functions_can_name_them(name: str) -> None:
    machine = properties(name)
    assert machine["Name"]["Fn::Sub"].startswith("${AWS::StackName}-")
    assert machine["DefinitionUri"].endswith(".asl.json")


def test_there_is_batch_only_where_it_was_asked_for() -> None:
    batch = [name for name, resource in RESOURCES.items() if resource["Type"].startswith("AWS::Batch::")]
    assert sorted(batch) == ["JobEnvironment", "JobQueue"]
    assert {RESOURCES[name]["Condition"] for name in (*batch, "JobExecutionRole")} == {"HasJobs"}
    assert properties("JobEnvironment")["ComputeResources"]["Type"] == "FARGATE"


def test_the_containers_of_a_job_have_no_role() -> None:
    machine = json.loads((emulator.PROJECT / "statemachines" / "run_workflow.asl.json").read_text("utf-8"))
    (task,) = machine["States"]["Register Job"]["Arguments"]["EcsProperties"]["TaskProperties"]
    assert "TaskRoleArn" not in task
    assert "JobRoleArn" not in task


def test_a_page_may_fetch_downloads_and_post_uploads_after_a_redirect() -> None:
    # Whatever AllowedOrigin is, a browser that follows a redirect from the API names no origin: `Origin: null`.
    (rule,) = properties("Bucket")["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedOrigins"] == ["*"]
    assert {"GET", "HEAD", "POST"} == set(rule["AllowedMethods"])
    assert {"ETag", "Content-Length", "Content-Disposition"} <= set(rule["ExposedHeaders"])
    assert rule["AllowedHeaders"] == ["*"]
    api = properties("Api")["Cors"]
    assert "AllowedOrigin" in str(api["AllowOrigin"])
    assert {"Authorization", "Content-Type", "api_key"} <= set(api["AllowHeaders"].strip("'").split(","))
    assert {"GET", "HEAD", "POST", "PUT", "DELETE"} <= set(api["AllowMethods"].strip("'").split(","))

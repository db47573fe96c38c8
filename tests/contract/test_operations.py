"""Folders, template, events, routes and the OpenAPI document speak of the same operations."""

import ast
import json
import re
import subprocess
import sys
from typing import Any

import pytest

from local import emulator, template
from support import handlers

PROJECT = emulator.PROJECT
FUNCTIONS = PROJECT / "functions"
OPERATIONS = handlers.OPERATIONS
DECLARED = {
    properties["CodeUri"].rpartition("/")[2]: (name, properties)
    for name, properties in template.resources("AWS::Serverless::Function").items()
}
METHODS = {"get", "put", "post", "delete", "patch", "head"}


def routes_of_template(operation: str) -> set[tuple[str, str]]:
    """Method and path of each API event of a function."""
    events = DECLARED[operation][1].get("Events", {}).values()
    return {(e["Properties"]["Method"], e["Properties"]["Path"]) for e in events if e["Type"] == "Api"}


def routes_of_code(operation: str) -> set[tuple[str, str]]:
    """Method and path of each way to call an operation, as its handler declares it."""
    app = handlers.app(operation)
    return {(method, route.resource) for route in (app.routes if app else ()) for method in route.methods}


def test_every_folder_is_a_function_of_the_template_and_the_other_way_round() -> None:
    assert sorted(DECLARED) == OPERATIONS


@pytest.mark.parametrize("operation", OPERATIONS)
def test_names_agree(operation: str) -> None:
    pascal = "".join(word.capitalize() for word in operation.split("_"))
    assert DECLARED[operation][0] == f"{pascal}Function"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_a_sample_event(operation: str) -> None:
    event = json.loads((PROJECT / "events" / f"{operation}.json").read_text("utf-8"))
    routes = routes_of_template(operation)
    if routes:
        assert (event["httpMethod"], event["resource"]) in routes


@pytest.mark.parametrize("operation", OPERATIONS)
def test_routes_of_template_and_code_agree(operation: str) -> None:
    assert routes_of_template(operation) == routes_of_code(operation)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_handler_is_short(operation: str) -> None:
    lines = (FUNCTIONS / operation / "app.py").read_text("utf-8").splitlines()
    assert len(lines) <= 25


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if routes_of_template(name)])
def test_only_operations_that_let_anybody_in_go_without_the_authorizer(operation: str) -> None:
    events = [e["Properties"] for e in DECLARED[operation][1]["Events"].values() if e["Type"] == "Api"]
    unguarded = {event.get("Auth", {}).get("Authorizer") == "NONE" for event in events}
    app = handlers.app(operation)
    assert app
    assert unguarded == {app.access == "anybody"}


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if routes_of_template(name)])
def test_an_operation_is_called_as_its_folder(operation: str) -> None:
    app = handlers.app(operation)
    assert app
    assert app.routes[0].operation == operation


def test_the_openapi_document_is_that_of_the_code() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "import runpy; print(runpy.run_path('docs/openapi.py')['text'](), end='')"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
        text=True,
    )
    committed = (FUNCTIONS / "get_openapi" / "openapi.json").read_text("utf-8")
    assert made.stdout == committed, "run `make openapi`"


def test_the_openapi_document_has_the_routes_of_the_template() -> None:
    document = json.loads((FUNCTIONS / "get_openapi" / "openapi.json").read_text("utf-8"))
    documented = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item if method in METHODS
    }
    assert not any(method == "HEAD" for method, _ in documented), "it would stand beside every GET"
    documented |= {("HEAD", path) for path, item in document["paths"].items() if item.get("get", {}).get("x-head")}
    assert documented == {route for operation in OPERATIONS for route in routes_of_template(operation)}


def test_the_openapi_document_is_valid() -> None:
    from openapi_spec_validator import validate

    validate(json.loads((FUNCTIONS / "get_openapi" / "openapi.json").read_text("utf-8")))


def bodies() -> dict[str, Any]:
    """Every body that the OpenAPI document knows, of requests and of answers, by where it is."""
    document = json.loads((FUNCTIONS / "get_openapi" / "openapi.json").read_text("utf-8"))
    found = {
        f"{name} {kind}": (one, document)
        for name, refusal in document["components"]["responses"].items()
        for kind, one in refusal["content"].items()
    }
    for item in document["paths"].values():
        for described in item.values():
            places = {"request": described.get("requestBody", {}), **described["responses"]}
            for place, body in places.items():
                for kind, one in body.get("content", {}).items():
                    found[f"{described['operationId']} {place} {kind}"] = one, document
    return found


BODIES = bodies()


@pytest.mark.parametrize("where", BODIES)
def test_every_body_has_an_example_that_is_such_a_body(where: str) -> None:
    from openapi_schema_validator import OAS31Validator

    body, document = BODIES[where]
    schema = body["schema"]
    for option in (schema, *schema.get("anyOf", ())):
        named = str(option.get("$ref", "")).rpartition("/")[2]
        examples = option.get("examples") or document["components"]["schemas"].get(named, {}).get("examples", [])
        if examples:
            break
    examples = [*examples, *([body["example"]] if "example" in body else [])]
    assert examples
    whole = {**schema, "components": document["components"]}
    for example in examples:
        OAS31Validator(whole).validate(example)


def test_the_descriptor_names_routes_that_exist() -> None:
    from flowserverless.api import descriptor

    known = {re.sub(r"\{\w+\}", "{}", path) for operation in OPERATIONS for _, path in routes_of_template(operation)}
    for pattern in descriptor.ROUTES.values():
        path = "/" + pattern.partition("?")[0]
        assert re.sub(r"\{\w+\}", "{}", path) in known


def test_reading_a_run_imports_no_client_of_s3_or_step_functions() -> None:
    code = """
import runpy, sys
runpy.run_path('functions/get_run/app.py')
from flowserverless.aws import clients
assert clients.client.cache_info().currsize == 0
assert not [name for name in sys.modules if name.startswith(('boto3'))], sys.modules
assert 'flowserverless.store.archive' not in sys.modules
"""
    layer = str(PROJECT / "layers" / "flowserverless")
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "TABLE_NAME": "t", "PATH": "", "PYTHONPATH": layer}
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_domain_imports_the_standard_library_only() -> None:
    domain = PROJECT / "layers" / "flowserverless" / "flowserverless" / "domain"
    for path in domain.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            for name in names:
                root = name.partition(".")[0]
                assert root in sys.stdlib_module_names or name.startswith("flowserverless.domain"), f"{path}: {name}"

"""Settings are what the template sets: each field one variable, each variable one field, with the same default."""

import re
from typing import Any

import pytest

from flowserverless import settings
from local import emulator, template

DOCUMENT = template.load()
GLOBALS = DOCUMENT["Globals"]["Function"]["Environment"]["Variables"]
DEFAULTS = template.defaults()
FIELDS = vars(settings.Settings())
# What Globals cannot have, because the API and the function that runs steps would refer to themselves.
OWN = {"StageStepFunction": {"API_URL"}, "GetJobManifestFunction": {"RUN_STEP_FUNCTION"}}
# Of the platform, and of what stands in for it.
ELSEWHERE = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_LAMBDA_FUNCTION_NAME", "COGNITO_URL"}
PACKAGE = emulator.PROJECT / "layers" / "flowserverless" / "flowserverless"
SOURCES = {
    path: path.read_text("utf-8")
    for path in (*PACKAGE.rglob("*.py"), *emulator.PROJECT.glob("functions/*/app.py"))
    if path != PACKAGE / "settings.py" and path.parent.name != "run_step"
}


def given() -> dict[str, Any]:
    """What Globals give all functions, without what is meant for a library."""
    return {name: value for name, value in GLOBALS.items() if not name.startswith("POWERTOOLS_")}


def test_functions_have_variables_of_their_own_only_where_all_cannot_have_them() -> None:
    functions = template.resources("AWS::Serverless::Function")
    own = {name: {*one["Environment"]["Variables"]} for name, one in functions.items() if "Environment" in one}
    assert own == OWN


def test_each_field_is_a_variable_of_the_template_and_the_other_way_round() -> None:
    variables = {*given(), *(name for names in OWN.values() for name in names)}
    assert {name.upper() for name in FIELDS} == variables


@pytest.mark.parametrize("name", [name for name, value in given().items() if value.get("Ref") in DEFAULTS])
def test_a_limit_or_switch_has_the_default_of_its_parameter(name: str) -> None:
    of_template = settings.read({name: DEFAULTS[given()[name]["Ref"]]})
    if name == "SELF_REGISTRATION":
        assert of_template.self_registration == "open"
        of_template = settings.read({name: "closed"})
    assert of_template == settings.Settings()


def test_there_is_batch_by_default_only_where_subnets_are() -> None:
    assert given()["BATCH"] == {"Fn::If": ["HasJobs", "true", "false"]}
    assert DEFAULTS["JobSubnets"] == ""
    assert not settings.Settings().batch


def test_names_of_resources_have_no_default() -> None:
    names = {name for name, value in given().items() if value.get("Ref") not in DEFAULTS and name != "BATCH"}
    assert {FIELDS[name.lower()] for name in names} == {""}


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_is_read(field: str) -> None:
    used = rf"\.{field}\b" if field not in ("batch", "notebooks") else r"\.executors\b"
    assert any(re.search(used, source) for source in SOURCES.values())


def test_nothing_else_reads_the_environment() -> None:
    for path, source in SOURCES.items():
        names = re.findall(r"environ(?:\.get\(|\[)[\"'](\w+)|[\"'](\w+)[\"'] in os\.environ", source)
        assert {name for pair in names for name in pair if name} <= ELSEWHERE, path
        assert len(names) == source.count("os.environ"), path


def test_what_is_empty_has_the_default() -> None:
    assert settings.read({"RUN_SECONDS": "", "PUBLIC_DOWNLOADS": "", "TABLE_NAME": ""}) == settings.Settings()


def test_what_is_set_counts() -> None:
    found = settings.read({"KEEP_RUN_DAYS": "12", "GRACE_SECONDS": "0", "NOTEBOOKS": "true", "BUCKET_NAME": "b"})
    assert (found.keep_run_days, found.grace_seconds, found.notebooks, found.bucket_name) == (12, 0, True, "b")
    assert found.executors == {"lambda", "notebook"}


def test_a_switch_is_on_only_when_it_is_true() -> None:
    assert not settings.read({"PUBLIC_DOWNLOADS": "1"}).public_downloads


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="many"):
        settings.read({"RUN_SECONDS": "many"})

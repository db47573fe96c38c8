"""What flowServ 0.9.4 was measured to get wrong, in the order of that list: each is shown not to happen here.

Most are played here, by the functions themselves. What is proven elsewhere, or cannot exist, stands in `ELSEWHERE`.
"""

import ast
import json
import pathlib
import re
import uuid

import pytest

from flowserverless.aws import clients, step_functions
from flowserverless.store import bucket, run_items, table, transactions, workflow_items
from local import template
from support import gateway, packages, scenario

TESTS = pathlib.Path(__file__).parents[1]

# Defect: why there is no such thing here, and the tests that show it.
ELSEWHERE = {
    5: (
        "A run is known to Step Functions and to the table; the reconciler brings them into line.",
        "operations/test_reconcile_runs.py::test_a_run_without_an_execution_is_started_once_it_cannot_be_on_its_way_any_more",
        "operations/test_reconcile_runs.py::test_how_an_execution_ended_is_taken_over",
        "operations/test_reconcile_runs.py::test_a_run_whose_deadline_passed_ends_and_so_does_its_work",
    ),
    6: (
        "A step is ended with every process that it started, whether it is canceled or its run deleted.",
        "runner/test_limits.py::test_a_canceled_step_that_ignores_signals_and_forks_is_gone_within_five_seconds",
        "runner/test_limits.py::test_a_background_process_of_another_session_does_not_outlive_the_step",
    ),
    15: (
        "Runs expire, but for active ones and those that the leaderboard shows.",
        "operations/test_reconcile_runs.py::test_runs_expire_but_for_active_ones_and_the_best_of_each_group",
    ),
    16: (
        "Tokens are Cognito's and stand in no answer but the one to signing in.",
        "operations/test_accounts.py::test_no_answer_but_the_sign_in_holds_a_token_or_a_password",
        "operations/test_list_users.py::test_users_are_listed_by_id_and_name_and_nothing_else",
    ),
    17: (
        "The code for a new password goes to the user's e-mail address only.",
        "operations/test_request_password_reset.py::test_asking_for_a_reset_tells_nothing_about_users",
        "operations/test_reset_password.py::test_a_password_is_reset_by_the_code_from_the_e_mail",
    ),
    18: (
        "Arguments reach commands as environment variables, never as part of their text.",
        "unit/test_plans.py::test_the_shell_takes_arguments_for_what_they_are",
        "unit/test_plans.py::test_no_argument_changes_a_command",
        "runner/test_basics.py::test_the_parameters_of_a_workflow_are_data_and_no_code",
    ),
    32: (
        "Every dependency is pinned with its digest, and the layers are complete.",
        "contract/test_layers.py::test_a_layer_is_complete",
        "contract/test_layers.py::test_the_layers_hold_all_that_is_imported",
    ),
    33: (
        "The classes themselves cannot be mended from here; the service takes what they send.",
        "stack/test_peer_client.py::test_the_client_of_flowserv_does_the_main_job",
    ),
    34: (
        "There is no such command line; the API is documented from its code, and result files may be YAML.",
        "contract/test_operations.py::test_the_openapi_document_is_that_of_the_code",
        "unit/test_results.py::test_yaml_is_read_by_the_given_loader_if_the_file_is_named_so",
    ),
    35: (
        "The token may stand in `Authorization: Bearer` as well, which every proxy hands on.",
        "operations/test_authorize_request.py::test_where_a_token_may_stand",
    ),
}

FILE_AND_NUMBERS = packages.ranked(
    parameters=[
        {"name": "data", "dtype": "file", "target": "in/data.txt", "isRequired": False},
        {"name": "count", "dtype": "int", "defaultValue": 1},
        {"name": "ratio", "dtype": "float", "defaultValue": 0.5, "range": "[0,1]"},
    ],
    workflow={
        "parameters": {"data": "$[[data]]", "count": "$[[count]]", "ratio": "$[[ratio]]"},
        "files": {"outputs": ["results/score.json"]},
        "steps": [packages.SCORE],
    },
)
GROUP = "/groups/{groupId}"
RUNS = "/groups/{groupId}/runs"
UPLOADS = "/uploads/{groupId}/files"
G = {"groupId": "g"}
STRANGER = {"user": None}
EVE = {"user": gateway.Person("u-eve", "eve")}
ORGANISER = {"user": gateway.ORGANISER}


@pytest.fixture
def world(world):
    """A workflow `w` that ranks and is post-processed, with a group `g` of ada's."""
    world.now = scenario.START
    scenario.put_workflow("w", {**FILE_AND_NUMBERS, "postproc": packages.POST_PROCESSING})
    scenario.put_groups("w", "g")
    return world


@pytest.fixture
def cognito(aws, monkeypatch):
    """A user pool with one user; the id of that user."""
    from flowserverless.aws import clients

    client = clients.client("cognito-idp")
    pool = client.create_user_pool(PoolName="users")["UserPool"]["Id"]
    monkeypatch.setenv("USER_POOL_ID", pool)
    made = client.admin_create_user(UserPoolId=pool, Username="grace")["User"]["Attributes"]
    return next(attribute["Value"] for attribute in made if attribute["Name"] == "sub")


def everything():
    """All items of the table."""
    scanned = clients.client("dynamodb").scan(TableName=table.Item.Meta.table_name)["Items"]
    return sorted(scanned, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def refused(world, *request, status=400, **more):
    """Make a request that has to be refused, as problem+json, without a trace in the table."""
    before = everything()
    answer = world.ask(*request, **more)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["message"] == answer.json["detail"]
    assert everything() == before
    return answer.json


def get(world, operation, resource, parameters, **more):
    """The JSON of a GET that has to succeed."""
    answer = world.ask(operation, "GET", resource, parameters, **more)
    assert answer.status == 200, answer.body
    return json.loads(answer.body, parse_constant=pytest.fail)


def board(world, **query):
    """The leaderboard."""
    return get(world, "get_leaderboard", "/workflows/{workflowId}/leaderboard", {"workflowId": "w"}, query=query)


def workflow(world):
    """The workflow, as a stranger sees it."""
    return get(world, "get_workflow", "/workflows/{workflowId}", {"workflowId": "w"}, **STRANGER)


def ended(world, score=0.5):
    """A run that succeeded."""
    run = world.started("g")
    assert world.succeed(run, score)["state"] == "SUCCESS"
    return run


def post_processed(world):
    """The post-processing run that is owed, once it has succeeded."""
    run = world.invoke("post_process", {"workflow": "w"})["started"]
    world.stage(run)
    bucket.write(bucket.result(run, "plot.txt"), b"plot")
    assert world.end(run)["state"] == "SUCCESS"
    return run


def form(name, content, part="file"):
    """An upload as a browser sends it."""
    head = f'--b\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
    return {
        "body": head.encode() + content + b"\r\n--b--\r\n",
        "headers": {"Content-Type": "multipart/form-data; boundary=b"},
    }


def uploaded(world, content=b"12345", **more):
    """An uploaded file."""
    answer = world.ask("upload_file", "POST", UPLOADS, G, **form("data.txt", content, **more))
    assert answer.status == 201, answer.body
    return answer.json


def test_every_defect_has_its_test():
    here = {int(found) for found in re.findall(r"^def test_defect_(\d\d)_", pathlib.Path(__file__).read_text(), re.M)}
    assert here | set(ELSEWHERE) == set(range(1, 37))
    assert not here & set(ELSEWHERE)
    for _, *tests in ELSEWHERE.values():
        assert tests
        for test in tests:
            path, _, name = test.partition("::")
            functions = ast.walk(ast.parse((TESTS / path).read_text("utf-8")))
            assert name in {node.name for node in functions if isinstance(node, ast.FunctionDef)}, test


def test_defect_01_lost_update_at_start(world, monkeypatch):
    # The execution is over before the request that started it is.
    monkeypatch.setattr(step_functions, "start", lambda run, wait=0: world.succeed(run.id, 1.0))
    run = world.started("g")
    assert run_items.get(run).state == "SUCCESS"
    assert scenario.active_runs("g") == 0


@pytest.mark.parametrize("left", [None, "results/score.json/inside.txt"])
def test_defect_02_missing_output_leaves_the_run_running(world, left):
    run = world.started("g")
    if left:
        bucket.write(bucket.result(run, left), b"x")
    assert world.end(run)["state"] == "ERROR"
    shown = get(world, "get_run", "/runs/{runId}", {"runId": run})
    assert shown["reason"]["code"] == "OUTPUT_MISSING"
    assert "results/score.json" in shown["messages"][0]


def test_defect_03_orphan_after_a_failed_start(world):
    refused(world, "start_run", "POST", RUNS, G, body={"arguments": [{"name": "count", "value": "many"}]})
    refused(world, "start_run", "POST", RUNS, G, body={"arguments": [{"name": "nothing", "value": 1}]})
    # An optional value that is left out is no failure at all.
    assert world.try_start("g").status == 201


def test_defect_04_cancel_with_a_reason_that_is_no_text(world):
    run = world.started("g")
    for reason in (1, True, ["why"], {"why": "so"}):
        refused(world, "cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={"reason": reason})
    assert world.cancel(run, "enough").json["messages"] == ["enough"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"metrics": {}}', "MISSING_COLUMN"),
        (b'{"metrics": {"score": "good"}}', "NOT_A_NUMBER"),
        (b"score = 1", "UNREADABLE_RESULT_FILE"),
    ],
)
def test_defect_07_bad_results_are_not_ranked_in_silence(world, content, code):
    run = world.started("g")
    bucket.write(bucket.result(run, "results/score.json"), content)
    assert world.end(run)["state"] == "SUCCESS"
    ranking = get(world, "get_run", "/runs/{runId}", {"runId": run})["ranking"]
    assert (ranking["status"], ranking["code"]) == ("not_ranked", code)
    assert ranking["detail"]


def test_defect_08_files_that_are_never_removed(world):
    first, second = ended(world), ended(world)
    assert world.delete(first).status == 204
    world.carry_out_removals()
    assert scenario.objects(first) == []
    assert scenario.objects(second)
    assert world.ask("delete_group", "DELETE", GROUP, G).status == 204
    world.carry_out_removals()
    assert scenario.objects(second) == []


def test_defect_09_optional_column_missing_in_an_order(world):
    run = ended(world)
    (line,) = board(world, orderBy="seconds:asc,note")["ranking"]
    assert line["run"]["id"] == run
    assert [result["value"] for result in line["results"]] == [0.5, None, None]


def test_defect_10_unknown_order_column(world):
    first, second = ended(world, 0.5), ended(world, 0.7)
    request = "get_leaderboard", "GET", "/workflows/{workflowId}/leaderboard", {"workflowId": "w"}
    refused(world, *request, query={"orderBy": "nothing"})
    shown = board(world, orderBy="", includeAll="True")["ranking"]
    assert [line["run"]["id"] for line in shown] == [second, first]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_defect_11_nan_in_answers(world, text):
    run = world.started("g")
    bucket.write(bucket.result(run, "results/score.json"), f'{{"metrics": {{"score": {text}}}}}'.encode())
    assert world.end(run)["state"] == "SUCCESS"
    (line,) = board(world)["ranking"]
    assert line["results"][0]["value"] == {"NaN": None, "Infinity": "inf", "-Infinity": "-inf"}[text]


def test_defect_12_groups_that_finish_together(world):
    names = [f"team{number}" for number in range(8)]
    scenario.put_groups("w", *names)
    begun = [world.started(name) for name in names]
    for score, run in enumerate(begun):
        world.write_score(run, score)
    assert {world.end(run)["state"] for run in begun} == {"SUCCESS"}
    started = [world.invoke("post_process", {"workflow": "w"})["started"] for _ in names]
    (run,) = filter(None, started)
    world.stage(run)
    listed = json.loads(bucket.read(bucket.ranked_runs(run), 100_000))
    assert [one["id"] for one in listed] == begun[::-1]


def test_defect_13_post_processing_results_while_others_are_made(world):
    # Stays when the first is deleted: what was drawn of nothing but deleted runs is withdrawn.
    ended(world, 0.4)
    first = ended(world)
    post_processed(world)
    path = "/workflows/{workflowId}/downloads/files/{fileId}"
    shown = {"workflowId": "w", "fileId": workflow(world)["postproc"]["files"][0]["id"]}
    assert world.ask("get_workflow_file", "GET", path, shown, **STRANGER).status == 302
    assert world.delete(first).status == 204
    handle = workflow(world)["postproc"]
    assert (handle["state"], handle["stale"]) == ("SUCCESS", True)
    ended(world)
    # The deletion has started post-processing anew, which is at work now.
    failing = str(workflow_items.get("w").active_run)
    assert workflow(world)["postproc"]["files"] == handle["files"]
    world.end(failing, scenario.FAILED)
    assert workflow(world)["postproc"]["files"] == handle["files"]
    assert world.ask("get_workflow_file", "GET", path, shown, **STRANGER).status == 302


def test_defect_14_strangers_delete_post_processing(world):
    ended(world)
    shown = {"runId": post_processed(world)}
    refused(world, "delete_run", "DELETE", "/runs/{runId}", shown, status=401, **STRANGER)
    refused(world, "delete_run", "DELETE", "/runs/{runId}", shown, status=403)
    assert world.ask("delete_run", "DELETE", "/runs/{runId}", shown, **ORGANISER).status in (204, 409)
    assert workflow(world)["id"] == "w"
    assert len(board(world)["ranking"]) == 1


def test_defect_19_files_outside_the_run_directory(world):
    file = uploaded(world)["id"]
    for path in ("../../escaped.txt", "/etc/escaped", "a/../../../b", "in\\..\\..\\c\0", ""):
        value = {"type": "$file", "value": {"fileId": file, "targetPath": path}}
        refused(world, "start_run", "POST", RUNS, G, body={"arguments": [{"name": "data", "value": value}]})


def test_defect_20_downloads_and_groups_without_a_token(world):
    run, file = ended(world), uploaded(world)["id"]
    requests = {
        "get_result_file": ("/runs/{runId}/downloads/files/{fileId}", {"runId": run, "fileId": f"{run[:8]}-000000"}),
        "get_result_archive": ("/runs/{runId}/downloads/archive", {"runId": run}),
        "get_upload": (f"{UPLOADS}/{{fileId}}", {**G, "fileId": file}),
        "get_group": (GROUP, G),
        "list_runs": (RUNS, G),
        "get_run": ("/runs/{runId}", {"runId": run}),
    }
    for operation, request in requests.items():
        refused(world, operation, "GET", *request, status=401, **STRANGER)
        refused(world, operation, "GET", *request, status=401, user=None, problem="the token has expired")
        refused(world, operation, "GET", *request, status=403, **EVE)
        answer = world.ask(operation, "GET", *request)
        assert answer.status in (200, 302)
        assert answer.headers["cache-control"] == "no-store"


def test_defect_21_engine_configuration_of_another_group(world):
    place = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    body = {"name": "slow", "id": "slow", "config": {"timeoutSeconds": 7}}
    assert world.ask("create_group", "POST", *place, body=body).status == 201
    slow, quick = world.started("slow"), world.started("g")
    assert (run_items.get(slow).config, run_items.get(quick).config) == ({"timeoutSeconds": 7}, {})
    workers = {"workers": [{"name": "w", "type": "subprocess", "env": {"SECRET": "1"}}]}
    refused(world, "create_group", "POST", *place, body={"name": "x", "config": workers})


def test_defect_22_strangers_learn_what_exists(world):
    said = refused(world, "get_group", "GET", GROUP, G, status=401, **STRANGER)
    assert said == refused(world, "get_group", "GET", GROUP, {"groupId": "none"}, status=401, **STRANGER)
    for run in (world.started("g"), "VQWEX2T39N6CF6QA01M83R72TG-h", "nothing"):
        assert said == refused(world, "get_run", "GET", "/runs/{runId}", {"runId": run}, status=401, **STRANGER)


def test_defect_23_failed_requests_that_change_something(world, cognito):
    unknown = ["grace", str(uuid.UUID(int=7))]
    refused(world, "update_group", "PUT", GROUP, G, body={"name": "other", "members": unknown})
    place = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    refused(world, "create_group", "POST", *place, body={"name": "new", "members": unknown})
    changed = world.ask("update_group", "PUT", GROUP, G, body={"members": ["ada", "grace"]})
    owner = {"id": gateway.ADA.id, "username": "ada"}
    assert sorted(changed.json["members"], key=str) == sorted([owner, {"id": cognito, "username": "grace"}], key=str)


PLACES = {
    "start_run": ("POST", RUNS, G),
    "create_group": ("POST", "/workflows/{workflowId}/groups", {"workflowId": "w"}),
    "update_group": ("PUT", GROUP, G),
    "register_user": ("POST", "/users/register", None),
    "login_user": ("POST", "/users/login", None),
}
BAD_ARGUMENTS = (
    None,
    {"count": 1},
    ["count"],
    [None],
    [{"name": "count"}],
    [{"value": 1}],
    [{"name": 1, "value": 1}],
    [{"name": "data", "value": {"type": "$other", "value": 1}}],
    [{"name": "data", "value": {"type": "$file"}}],
    [{"name": "data", "value": {"type": "$file", "value": {"fileId": 1}}}],
)
BAD_BODIES = {
    "start_run": [*({"arguments": arguments} for arguments in BAD_ARGUMENTS), [], [1], "text", 1, None],
    "create_group": [
        *({"name": name} for name in (1, None, [], {}, "", " ")),
        *([], {}, {"name": "x", "members": "ada"}, {"name": "x", "members": [1]}),
    ],
    "update_group": [{"name": 1}, ["name"]],
    "register_user": [{"username": 1, "password": "correct horse"}],
    "login_user": [["ada"]],
}


def test_defect_24_internal_error_for_ordinary_bad_input(world):
    for operation, bodies in BAD_BODIES.items():
        for body in bodies:
            refused(world, operation, *PLACES[operation], body=json.dumps(body))
    refused(world, "create_group", *PLACES["create_group"], body={"name": "Group g"}, status=409)


def test_defect_25_state_errors_that_name_an_object_in_memory(world):
    run = ended(world)
    said = refused(world, "cancel_run", "PUT", "/runs/{runId}", {"runId": run}, body={}, status=409)
    assert "SUCCESS" in said["message"]
    assert "object at" not in said["message"]


def test_defect_26_errors_in_html(world):
    for text in ("{", "", "{'name': 1}", '{"name": NaN}', "[" * 100_000, '"\\ud800"', "1e999"):
        refused(world, "create_group", *PLACES["create_group"], body=text)


def test_defect_26_errors_in_html_of_the_gateway():
    (api,) = template.resources("AWS::Serverless::Api").values()
    for name, response in api["GatewayResponses"].items():
        assert set(response["ResponseTemplates"]) == {"application/problem+json"}, name
    assert {"MISSING_AUTHENTICATION_TOKEN", "UNAUTHORIZED", "REQUEST_TOO_LARGE"} <= set(api["GatewayResponses"])


def test_defect_27_no_filter_no_groups_no_pages(world):
    canceled, active, latest = world.started("g"), world.started("g"), world.started("g")
    world.cancel(canceled)

    def listed(**query):
        return get(world, "list_runs", RUNS, G, query=query)

    assert [run["id"] for run in listed(state="CANCELED")["runs"]] == [canceled]
    for everything_ in ("", "None", "{state}"):
        assert len(listed(state=everything_)["runs"]) == 3
    refused(world, "list_runs", "GET", RUNS, G, query={"state": "DONE"})
    first = listed(limit="2")
    assert first["runs"] + listed(limit="2", cursor=first["next"])["runs"] == listed()["runs"]
    assert {active, latest} <= {run["id"] for run in listed()["runs"]}
    assert [group["id"] for group in get(world, "list_groups", "/groups", None)["groups"]] == ["g"]


def test_defect_28_size_of_uploads_and_names_of_groups(world):
    assert uploaded(world, b"12345")["size"] == 5
    assert uploaded(world, b"", part="files")["size"] == 0
    scenario.put_groups("w", "h")
    refused(world, "update_group", "PUT", GROUP, G, body={"name": "Group h"}, status=409)
    refused(world, "update_group", "PUT", GROUP, G, body={"name": ""})


def test_defect_29_reasons_for_being_refused(world):
    expired = {"user": None, "problem": "the token has expired"}
    said = refused(world, "get_group", "GET", GROUP, G, status=401, **expired)
    assert (said["code"], said["detail"]) == ("UNAUTHENTICATED", "the token has expired")


def test_defect_30_plain_text_for_a_file(world):
    said = refused(world, "start_run", "POST", RUNS, G, body={"arguments": [{"name": "data", "value": "in/data.txt"}]})
    assert "data" in said["detail"]


def test_defect_31_values_that_pass_though_they_do_not_fit(world):
    for name, value in [("count", "3.7"), ("count", "true")]:
        refused(world, "start_run", *PLACES["start_run"], body=ARGUMENT % (name, value))
    for value in ("NaN", '"nan"', "1.5", "1e999"):
        refused(world, "start_run", *PLACES["start_run"], body=ARGUMENT % ("ratio", value))


ARGUMENT = '{"arguments": [{"name": "%s", "value": %s}]}'


def test_defect_36_many_clients_at_once(world, monkeypatch):
    # Between reading and writing of each of them all others write.
    begun = [world.started("g") for _ in range(5)]
    for run in begun:
        world.write_score(run, 1.0)
    waiting = begun[1:]
    commit = transactions.commit

    def others_first(compose, *more):
        if waiting:
            world.end(waiting.pop())
        commit(compose, *more)

    monkeypatch.setattr(transactions, "commit", others_first)
    assert world.end(begun[0])["state"] == "SUCCESS"
    assert scenario.active_runs("g") == 0
    entries = board(world, includeAll="true")["ranking"]
    assert sorted(line["run"]["id"] for line in entries) == sorted(begun)
    assert [line["rank"] for line in entries] == [1] * 5
    assert workflow_items.get("w").owed

"""Every operation played as everybody: the table in docs/security.md, cell by cell."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from flowserverless import clock
from flowserverless.auth import credentials
from flowserverless.domain import uploads
from flowserverless.store import bucket as objects
from flowserverless.store import group_items, upload_items, workflow_items
from flowserverless.store import table as stored
from local import emulator, template
from support import gateway, packages, scenario

PASSWORD = "correct horse"
DOCUMENT = emulator.PROJECT / "docs" / "security.md"
ROLES = ("stranger", "user", "member", "owner", "organiser")
PEOPLE = {
    "stranger": None,
    "user": gateway.Person("u-eve", "eve"),
    "member": gateway.Person("u-bob", "bob"),
    "owner": gateway.ADA,
    "organiser": gateway.ORGANISER,
}
# Who knows the secret of a job is let in, see test_batch.py, and nobody for who they are.
BY_SECRET = "get_job_manifest"
DESTRUCTIVE = ("cancel_run", "delete_upload", "delete_run", "delete_group")


def cells() -> dict[tuple[str, str], bool]:
    """May this role do this operation, by (operation, role)."""
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", DOCUMENT.read_text("utf-8"), re.M)
    found = {}
    for operation, *answers in rows[1:]:
        assert set(answers) <= {"yes", "no"}, operation
        found |= {(operation, role): answer == "yes" for role, answer in zip(ROLES, answers, strict=True)}
    return found


CELLS = cells()
# Every way to call an operation: GET and HEAD, PUT and POST.
ROUTES = sorted(
    (properties["CodeUri"].rpartition("/")[2], event["Properties"]["Method"], event["Properties"]["Path"])
    for properties in template.resources("AWS::Serverless::Function").values()
    for event in properties.get("Events", {}).values()
    if event["Type"] == "Api"
)
# Last, because what they delete is needed by the others.
ORDER = sorted(ROUTES, key=lambda route: DESTRUCTIVE.index(route[0]) if route[0] in DESTRUCTIVE else -1)


def test_the_table_has_every_operation_of_the_api() -> None:
    assert {operation for operation, _ in CELLS} == {operation for operation, _, _ in ROUTES} - {BY_SECRET}
    assert f"`{BY_SECRET}`" in DOCUMENT.read_text("utf-8")


@pytest.fixture
def place(table: str, bucket: str, state_machine: str, user_pool: str) -> dict[str, str]:
    """A workflow with post-processing results, and a group with a member, an upload, an ended and an active run."""
    scenario.put_workflow("w", packages.ranked())
    head = workflow_items.get("w")
    group_items.create(scenario.new_group("w", "g"), {gateway.ADA.id: "ada", "u-bob": "bob"}, head)
    ended, active = scenario.put_run("w", "g"), scenario.put_run("w", "g")
    scenario.end_run(ended, score=1.0)
    item = stored.get(stored.run(stored.ids.run_id(ended)))
    shown = {"id": "000000", "name": "a", "path": "a", "size": 1, "media_type": "text/plain"}
    item.update(
        actions=[
            stored.RunItem.files.set([shown]),
            stored.RunItem.file_count.set(1),
            stored.RunItem.archive.set({"size": 1}),
        ]
    )
    objects.write(objects.log(ended, 0), b"log")
    post = str(stored.ids.RunId(stored.ids.Owner("w", post_processing=True), stored.ids.run_id(ended).ulid))
    result = stored.get(stored.run(stored.ids.run_id(ended)))
    copy = {name: value for name, value in result.attribute_values.items() if name not in ("pk", "sk", "kind", "group")}
    stored.RunItem(*stored.run(stored.ids.run_id(post)), **copy).save()
    stored.WorkflowItem(*stored.workflow("w")).update(
        actions=[stored.WorkflowItem.good_run.set(post), stored.WorkflowItem.last_run.set(post)]
    )
    upload = clock.new_ulid()
    objects.write(objects.upload("g", upload), b"x")
    upload_items.to_item(uploads.Upload("g", upload, "x", 1, clock.now())).save()
    return {"workflowId": "w", "groupId": "g", "ended": ended, "active": active, "upload": upload}


def event(
    route: tuple[str, str, str], place: dict[str, str], person: gateway.Person | None, problem: str = "not logged in"
) -> dict[str, Any]:
    """A request that would succeed for somebody who may."""
    operation, method, path = route
    known = {
        "workflowId": "w",
        "groupId": place["groupId"],
        "runId": place["active" if operation == "cancel_run" else "ended"],
        "fileId": place["upload"] if "upload" in operation else "000000",
        "jobId": "000",
        "userId": "u-bob",
    }
    parameters = {name: known[name] for name in re.findall(r"\{(\w+)\}", path)}
    bodies: dict[str, Any] = {
        "create_group": {"name": "another"},
        "update_group": {"name": "G"},
        "start_run": {"arguments": []},
        "cancel_run": {},
        "upload_file": {"name": "x", "size": 1, "sha256": "0" * 64},
        "register_user": {"username": "newcomer", "password": PASSWORD, "verify": False},
        "login_user": {"username": "newcomer", "password": PASSWORD},
        "activate_user": {"username": "newcomer", "code": "123456"},
        "request_activation": {"username": "newcomer"},
        "change_password": {"password": PASSWORD, "newPassword": "battery staple"},
        "delete_user": {"password": PASSWORD},
        "request_password_reset": {"username": "newcomer"},
        "reset_password": {"username": "newcomer", "code": "123456", "password": PASSWORD},
    }
    body = bodies.get(operation)
    return gateway.event(method, path, parameters or None, body=body, user=person, problem=problem)


@pytest.mark.parametrize("role", ROLES)
def test_everybody_may_what_the_table_says_and_nothing_else(
    role: str, place: dict[str, str], invoke: Callable[[str, dict[str, Any]], Any]
) -> None:
    wrong = []
    for route in ORDER:
        operation, method, _ = route
        answer = gateway.answer(invoke(operation, event(route, place, PEOPLE[role])))
        if operation == BY_SECRET:
            assert answer.status == 404
            continue
        allowed = CELLS[operation, role]
        refused = answer.status == (401 if role == "stranger" else 403)
        credentials = operation in ("login_user", "activate_user", "reset_password", "logout_user")
        if refused == allowed and not (allowed and credentials):
            wrong.append(f"{method} {operation}: {answer.status} {answer.body[:200]!r}")
        if not allowed and method != "HEAD":
            assert json.loads(answer.body)["status"] == answer.status
        assert answer.status < 500, (operation, answer.body)
    assert not wrong


WORDS = {value for name, value in vars(credentials).items() if name.isupper() and isinstance(value, str)}


@pytest.mark.parametrize("problem", sorted(WORDS))
def test_a_token_that_is_refused_opens_what_is_open_to_strangers_and_nothing_else(
    problem: str, place: dict[str, str], invoke: Callable[[str, dict[str, Any]], Any]
) -> None:
    status = 503 if problem == credentials.UNVERIFIABLE else 401
    wrong = []
    for route in ORDER:
        operation, method, _ = route
        answer = gateway.answer(invoke(operation, event(route, place, None, problem)))
        if operation == BY_SECRET:
            assert answer.status == 404
        elif operation in ("login_user", "logout_user"):
            # What they say of a token or a password is their work.
            assert answer.status in (200, 401, status)
        elif CELLS[operation, "stranger"] == (answer.status == status):
            wrong.append(f"{method} {operation}: {answer.status} {answer.body[:200]!r}")
        elif answer.status == status and method != "HEAD":
            assert json.loads(answer.body)["detail"] == problem
            assert ("retry-after" in answer.headers) == (status == 503)
    assert not wrong


@pytest.mark.parametrize("operation", ["cancel_run", "delete_run"])
@pytest.mark.parametrize(("role", "status"), [("stranger", 401), ("user", 403), ("member", 403), ("owner", 403)])
def test_post_processing_is_changed_by_organisers_only(
    operation: str, role: str, status: int, place: dict[str, str], invoke: Callable[[str, dict[str, Any]], Any]
) -> None:
    shown = str(workflow_items.get("w").good_run)
    method = "PUT" if operation == "cancel_run" else "DELETE"
    request = gateway.event(method, "/runs/{runId}", {"runId": shown}, user=PEOPLE[role])
    assert gateway.answer(invoke(operation, request)).status == status
    assert stored.get(stored.run(stored.ids.run_id(shown))) is not None


@pytest.mark.parametrize("group", ["g", "nobody"])
def test_strangers_and_other_users_cannot_tell_whether_a_group_exists(
    group: str, place: dict[str, str], invoke: Callable[[str, dict[str, Any]], Any]
) -> None:
    eve = gateway.answer(
        invoke("get_group", gateway.event("GET", "/groups/{groupId}", {"groupId": group}, user=PEOPLE["user"]))
    )
    assert (eve.status, eve.json["code"]) == (403, "NO_ACCESS")
    run = gateway.event("GET", "/runs/{runId}", {"runId": f"VQWEX2T39N6CF6QA01M83R72TG-{group}"}, user=PEOPLE["user"])
    assert gateway.answer(invoke("get_run", run)).status == 403


def test_a_user_is_answered_the_same_about_groups_that_exist_and_that_do_not(
    place: dict[str, str], invoke: Callable[[str, dict[str, Any]], Any]
) -> None:
    elsewhere = {**place, "groupId": "h"} | {name: place[name][:-1] + "h" for name in ("ended", "active")}
    for route in ROUTES:
        operation, _, path = route
        if CELLS.get((operation, "user")) is False and ("{groupId}" in path or "{runId}" in path):
            told = []
            for known in (place, elsewhere):
                request = event(route, known, PEOPLE["user"])
                answer = gateway.answer(invoke(operation, request))
                group = known["groupId"]
                told.append((answer.status, answer.body.replace(f"'{group}'".encode(), b""), answer.headers.keys()))
            assert told[0] == told[1], route
            assert told[0][0] == 403

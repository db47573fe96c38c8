"""What administrators do in Cognito, and organisers here, ends what tokens open."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from local import emulator, mailbox, stack
from support import http

WHO = "users/whoami"


def administrator(deployed: stack.Stack) -> Callable[..., Any]:
    """Acts of an administrator: the name of an operation of Cognito, and whom it is done to."""
    client = deployed.client("cognito-idp")
    return lambda act, name, **more: getattr(client, act)(UserPoolId=deployed.user_pool_id, Username=name, **more)


def test_a_disabled_user_is_let_out_at_once_and_in_when_enabled(service: http.Visitor, deployed: stack.Stack) -> None:
    does = administrator(deployed)
    ada = http.register(service)
    name = ada.get(WHO)["username"]
    does("admin_disable_user", name)
    refused = ada.call("GET", WHO)
    assert (refused.status, refused.json["code"]) == (401, "UNAUTHENTICATED")
    does("admin_enable_user", name)
    assert http.sign_in(service, name).get(WHO)["username"] == name


def test_the_token_of_a_deleted_user_is_nobodys_although_the_name_is_registered_again(
    service: http.Visitor, deployed: stack.Stack
) -> None:
    ada = http.register(service)
    name = ada.get(WHO)["username"]
    administrator(deployed)("admin_delete_user", name)
    assert ada.call("GET", WHO).status == 401
    again = http.register(service, name)
    assert again.get(WHO)["username"] == name
    assert ada.call("GET", WHO).status == 401


def test_an_organiser_who_is_none_any_more_is_an_ordinary_user(service: http.Visitor, deployed: stack.Stack) -> None:
    olga = http.organiser(service, deployed)
    victim = http.register(service).get(WHO)["id"]
    assert olga.call("DELETE", f"users/{victim}/tokens").status == 200
    name = olga.get(WHO)["username"]
    administrator(deployed)("admin_remove_user_from_group", name, GroupName="organisers")
    assert olga.get(WHO)["roles"] == []
    assert olga.call("DELETE", f"users/{victim}/tokens").status == 403


@pytest.mark.parametrize("by", ["id", "username"])
def test_an_organiser_ends_every_session_of_a_user(service: http.Visitor, deployed: stack.Stack, by: str) -> None:
    olga = http.organiser(service, deployed)
    ada = http.register(service)
    handle = ada.get(WHO)
    other = http.sign_in(service, handle["username"])
    assert olga.call("DELETE", f"users/{handle[by]}/tokens").status == 200
    assert [session.call("GET", WHO).json["detail"] for session in (ada, other)] == ["signed out"] * 2
    assert http.until(lambda: http.sign_in(service, handle["username"]).call("GET", WHO).status, (200).__eq__) == 200


def test_a_record_of_the_user_pools_events_ends_sessions(service: http.Visitor, deployed: stack.Stack) -> None:
    ada = http.register(service)
    handle = ada.get(WHO)
    event = json.loads((emulator.PROJECT / "events" / "watch_users.json").read_text("utf-8"))
    detail = event["detail"]
    detail["additionalEventData"]["sub"] = handle["id"]
    detail["requestParameters"]["userPoolId"] = deployed.user_pool_id
    detail |= {"eventName": "AdminUserGlobalSignOut", "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    cloudformation = deployed.client("cloudformation")
    rule, function = (
        cloudformation.describe_stack_resource(StackName=deployed.name, LogicalResourceId=name)["StackResourceDetail"][
            "PhysicalResourceId"
        ]
        for name in ("WatchUsersFunctionChanged", "WatchUsersFunction")
    )
    events = deployed.client("events")
    pattern = events.describe_rule(Name=rule.rpartition("/")[2])["EventPattern"]
    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
    others = {**event, "detail": {**detail, "requestParameters": {"userPoolId": "us-east-1_other"}}}
    failed = {**event, "detail": {**detail, "errorCode": "UserNotFoundException"}}
    for other in (others, failed):
        assert not events.test_event_pattern(EventPattern=pattern, Event=json.dumps(other))["Result"]
    deployed.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    assert ada.call("GET", WHO).json["detail"] == "signed out"


def test_names_that_look_alike_are_one_name(service: http.Visitor, deployed: stack.Stack) -> None:
    name = f"ada-{uuid.uuid4().hex[:8]}"
    ada = http.register(service, name)
    body = {"username": name.upper(), "password": http.PASSWORD}
    assert service.call("POST", "users/register", body).json["code"] == "NAME_TAKEN"
    workflow = http.publish(deployed, {"workflow": {"steps": [http.step("nothing", "true")]}})
    ada.group(workflow, "Team A")
    for other in ("team a", "Team\u3000A", "Team A\u3164", "Te\u200dam A"):
        assert ada.call("POST", f"workflows/{workflow}/groups", {"name": other}).json["code"] == "GROUP_NAME_TAKEN"


def code_for(deployed: stack.Stack, address: str, how_many: int = 1) -> str:
    """The code in the last of so many e-mails to an address."""
    found = http.until(lambda: mailbox.mails(deployed, address), lambda mails: len(mails) >= how_many)
    return str(found[-1].code)


def test_the_whole_way_of_an_account(service: http.Visitor, deployed: stack.Stack) -> None:
    name = f"mia-{uuid.uuid4().hex[:8]}"
    wrong, right = f"{name}@exmaple.org", f"{name}@example.org"
    body = {"username": name, "password": http.PASSWORD, "email": wrong}
    assert service.call("POST", "users/register", body).json["active"] is False
    assert service.call("POST", "users/register", {**body, "email": right}).status == 201
    assert service.call("POST", "users/register", {**body, "email": right}).json["code"] == "NAME_TAKEN"
    assert service.call("POST", "users/activate/request", {"username": name}).json == {"requestId": name}
    code = code_for(deployed, right, 2)
    assert service.call("POST", "users/activate", {"username": name, "code": code}).status == 200
    first, other = http.sign_in(service, name), http.sign_in(service, name)

    changed = first.call("PUT", "users/password", {"password": http.PASSWORD, "newPassword": "battery staple"})
    assert changed.status == 200, changed.body
    assert http.Visitor(service.url, changed.json["token"]).get(WHO)["username"] == name
    assert first.call("GET", WHO).status == 401
    assert service.call("POST", "users/login", {"username": name, "password": http.PASSWORD}).status == 401

    assert service.call("POST", "users/password/request", {"username": name}).status == 200
    code = code_for(deployed, right, 3)
    reset = {"username": name, "code": code, "password": http.PASSWORD}
    assert service.call("POST", "users/password/reset", reset).status == 200
    assert http.until(lambda: other.call("GET", WHO).status, (401).__eq__) == 401
    assert http.sign_in(service, name).get(WHO)["username"] == name


def test_there_is_no_mail_for_others(service: http.Visitor, deployed: stack.Stack) -> None:
    http.register(service, name := f"leo-{uuid.uuid4().hex[:8]}")
    assert mailbox.mails(deployed, name) == []
    assert mailbox.text([]).startswith("No e-mail")


def test_an_account_is_deleted_and_the_group_goes_on(service: http.Visitor, deployed: stack.Stack) -> None:
    ada, bob = http.register(service), http.register(service)
    name, other = ada.get(WHO)["username"], bob.get(WHO)["username"]
    workflow = http.publish(deployed, {"workflow": {"steps": [http.step("nothing", "true")]}})
    group = ada.group(workflow)
    assert ada.call("PUT", f"groups/{group}", {"members": [name, other]}).status == 200
    run = ada.start(group)
    ada.finished(run)
    assert ada.call("POST", "users/delete", {"password": "wrong horse"}).json["code"] == "WRONG_PASSWORD"
    assert ada.call("POST", "users/delete", {"password": http.PASSWORD}).json["username"] == name
    assert ada.call("GET", WHO).status == 401
    assert service.call("POST", "users/login", {"username": name, "password": http.PASSWORD}).status == 401
    handle = bob.get(f"groups/{group}")
    assert [member["username"] for member in handle["members"]] == [other]
    assert bob.get(f"runs/{run}")["state"] == "SUCCESS"
    assert bob.call("DELETE", f"groups/{group}").status in (202, 204)

"""A group of ada and bob, and what its members may do to it."""

import pytest

from flowserverless.aws import cognito
from flowserverless.store import group_items, table, workflow_items
from support import aws_clients, gateway, scenario

ADA = gateway.ADA
BOB, EVE = gateway.Person("u-bob", "bob"), gateway.Person("u-eve", "eve")
GROUP = "/groups/{groupId}", {"groupId": "g"}
UPLOADS = "/uploads/{groupId}/files", {"groupId": "g"}
CONTENT = b"id,label\n1,7\n"
FORM = {
    "body": b'--b\r\nContent-Disposition: form-data; name="file"; filename="data.csv"\r\n\r\n'
    + CONTENT
    + b"\r\n--b--\r\n",
    "headers": {"Content-Type": "multipart/form-data; boundary=b"},
}


def found(*people, identifier="g", owner=ADA):
    """A new group straight in the table."""
    group = scenario.new_group("w", identifier, owner.id)
    group_items.create(group, {person.id: person.name for person in people}, workflow_items.get("w"))


def many(first, count=39):
    """So many users."""
    return [gateway.Person(f"u-{number:03d}", f"user{number:03d}") for number in range(first, first + count)]


@pytest.fixture
def everybody(monkeypatch):
    """Users are who they say, without a pool of users."""

    known = {person.name: person for person in [ADA, BOB, EVE, *many(0, 200)]}
    monkeypatch.setattr(cognito, "find", lambda named: {known[one].id: one for one in named})


def put(world, user=ADA, status=200, **body):
    answer = world.ask("update_group", "PUT", *GROUP, body=body, user=user)
    assert answer.status == status, answer.body
    return answer.json


def names(handle):
    return sorted(member["username"] for member in handle["members"])


def members():
    return sorted(item.name for item in group_items.with_members("g")[1])


def linked():
    """Whose lists show the group, as far as there are lists."""
    people = [ADA, BOB, EVE, *many(0, 200)]
    keys = {(f"USER#{person.id}", "GROUP#g"): person.name for person in people}
    return sorted(keys[key] for key in table.fetch(keys))


def upload(world, user=ADA, **sent):
    return world.ask("upload_file", "POST", *UPLOADS, user=user, **(sent or FORM))


def argument(file):
    return {"arguments": [{"name": "data", "value": {"type": "$file", "value": {"fileId": file}}}]}


def left_of(group="g"):
    """The keys of everything that the table has of a group, but what is noted about objects that are to be removed."""
    items = aws_clients.of("dynamodb").scan(TableName=table.Item.Meta.table_name)["Items"]
    keys = [(item["pk"]["S"], item["sk"]["S"]) for item in items]
    of_group = [key for key in keys if f"GROUP#{group}" in key or key[0].endswith(f"#G#{group}")]
    return [*of_group, *(key for key in keys if key[1].startswith("NAME#"))]


def delete_it(world, user=ADA):
    return world.ask("delete_group", "DELETE", *GROUP, user=user).status


def acts(world, user):
    """What a member may do to the group, each as something that answers a status, and undone by nothing."""
    file = upload(world).json["id"]
    other = upload(world, body={"name": "late.csv", "size": 3, "sha256": "1" * 64}).json["id"]
    ended, active = world.started("g"), world.started("g")
    world.succeed(ended, 0.5)

    def one(*request, **more):
        return lambda: world.ask(*request, user=user, **more).status

    return {
        "update_group": one("update_group", "PUT", *GROUP, body={"members": ["ada", "bob"], "name": "Ours"}),
        "start_run": lambda: world.try_start("g", user=user).status,
        "start_run with a file": lambda: world.try_start("g", user=user, **argument(file)).status,
        "upload_file": one(
            "upload_file", "POST", *UPLOADS, **{**FORM, "body": FORM["body"].replace(b"label", b"other")}
        ),
        "upload_file again": one(
            "upload_file", "POST", *UPLOADS, **{**FORM, "body": FORM["body"].replace(b"data.csv", b"x")}
        ),
        "upload_file (announce)": one(
            "upload_file", "POST", *UPLOADS, body={"name": "x", "size": 5, "sha256": "0" * 64}
        ),
        "delete_upload": one(
            "delete_upload", "DELETE", "/uploads/{groupId}/files/{fileId}", {"groupId": "g", "fileId": other}
        ),
        "cancel_run": one("cancel_run", "PUT", "/runs/{runId}", {"runId": active}),
        "delete_run": one("delete_run", "DELETE", "/runs/{runId}", {"runId": ended}),
    }

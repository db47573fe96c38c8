"""Groups hold together: who is in them, what is theirs, and that nothing of a deleted one is found in the next."""

import itertools

import pytest

from flowserverless.aws import cognito
from flowserverless.operations import delete
from flowserverless.store import bucket, group_items, table, workflow_items
from support import aws_clients, contest, gateway
from support import service as on_moto

ADA = on_moto.MEMBER
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


@pytest.fixture
def service(invoke, monkeypatch, table, bucket, state_machine, user_pool):
    contest.publish(
        "w", contest.template(parameters=[{"name": "data", "dtype": "file", "isRequired": False, "target": "data.csv"}])
    )
    found(ADA, BOB)
    return on_moto.Service(invoke, monkeypatch)


def found(*people, identifier="g", owner=ADA):
    """A new group straight in the table."""
    group = contest.group("w", identifier, owner.id)
    group_items.create(group, {person.id: person.name for person in people}, workflow_items.get("w"))


def many(first, count=39):
    """So many users."""
    return [gateway.Person(f"u-{number:03d}", f"user{number:03d}") for number in range(first, first + count)]


@pytest.fixture
def everybody(monkeypatch):
    """Users are who they say, without a pool of users."""

    known = {person.name: person for person in [ADA, BOB, EVE, *many(0, 200)]}
    monkeypatch.setattr(cognito, "find", lambda named: {known[one].id: one for one in named})


def put(service, user=ADA, status=200, **body):
    answer = service.call("update_group", "PUT", *GROUP, body=body, user=user)
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


def upload(service, user=ADA, **sent):
    return service.call("upload_file", "POST", *UPLOADS, user=user, **(sent or FORM))


def argument(file):
    return {"arguments": [{"name": "data", "value": {"type": "$file", "value": {"fileId": file}}}]}


def left_of(group="g"):
    """The keys of everything that the table has of a group, but what is noted about objects that are to be removed."""
    items = aws_clients.of("dynamodb").scan(TableName=table.Item.Meta.table_name)["Items"]
    keys = [(item["pk"]["S"], item["sk"]["S"]) for item in items]
    of_group = [key for key in keys if f"GROUP#{group}" in key or key[0].endswith(f"#G#{group}")]
    return [*of_group, *(key for key in keys if key[1].startswith("NAME#"))]


def delete_it(service, user=ADA):
    return service.call("delete_group", "DELETE", *GROUP, user=user).status


# Changes at the same moment.


def test_of_three_that_change_the_members_at_once_the_last_wins_and_the_limit_holds(service, everybody, interrupted):
    wanted = [["ada", *(person.name for person in many(first))] for first in (0, 39, 78)]

    def second():
        return interrupted(lambda: put(service, members=wanted[1]), lambda: put(service, members=wanted[0]))

    (first, told), last = interrupted(lambda: put(service, members=wanted[2]), second)
    assert [names(first), names(told), names(last)] == wanted
    assert members() == linked() == wanted[2]
    assert delete_it(service) == 204
    assert left_of() == []


def test_all_members_but_the_owner_can_be_replaced_in_one_request(service, everybody):
    for first in (0, 39, 78):
        people = ["ada", *(person.name for person in many(first))]
        assert names(put(service, members=people, name=f"Group {first}")) == people
        assert members() == linked() == people
    assert service.call("get_group", "GET", *GROUP).json["name"] == "Group 78"


def test_a_refused_change_leaves_everything(service, everybody):
    found(EVE, identifier="h", owner=EVE)
    put(service, name="Group h", members=["ada", "eve"], status=409)
    put(service, members=[person.name for person in many(0, 41)], status=400)
    put(service, members=[], status=400)
    assert members() == linked() == ["ada", "bob"]
    assert service.call("get_group", "GET", *GROUP).json["name"] == "Group g"


def test_a_name_that_is_taken_meanwhile_is_refused_and_one_given_twice_is_no_conflict(service, interrupted):
    rename = {"name": "Another"}
    _, told = interrupted(lambda: put(service, **rename), lambda: put(service, **rename))
    assert told["name"] == "Another"
    found(EVE, identifier="h", owner=EVE)
    take = "/groups/{groupId}", {"groupId": "h"}
    theirs, _ = interrupted(
        lambda: put(service, status=409, name="Third"),
        lambda: service.call("update_group", "PUT", *take, body={"name": "Third"}, user=EVE),
    )
    assert theirs.status == 200
    put(service, name="Fourth")
    assert len([key for key in left_of() if key[1].startswith("NAME#")]) == 2


# What a member does while they are removed.


def acts(service, user):
    """What a member may do to the group, each as something that answers a status, and undone by nothing."""
    file = upload(service).json["id"]
    other = upload(service, body={"name": "late.csv", "size": 3, "sha256": "1" * 64}).json["id"]
    ended, active = service.started("g"), service.started("g")
    service.succeed(ended, 0.5)

    def one(*request, **more):
        return lambda: service.call(*request, user=user, **more).status

    return {
        "update_group": one("update_group", "PUT", *GROUP, body={"members": ["ada", "bob"], "name": "Ours"}),
        "start_run": lambda: service.start("g", user=user).status,
        "start_run with a file": lambda: service.start("g", user=user, **argument(file)).status,
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


def everything():
    """What is stored of the group, but for who changed it when."""
    items = aws_clients.of("dynamodb").scan(TableName=table.Item.Meta.table_name)["Items"]
    objects = sorted(found.key for found in bucket.listing(""))
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"])), objects


def test_who_is_removed_while_they_act_does_nothing_any_more(service, interrupted, subtests):
    act, beginning = acts(service, BOB), on_moto.Snapshot()
    for name in act:
        with subtests.test(name):
            beginning.restore()
            left = []

            def removal(left=left):
                handle = put(service, members=["ada"])
                left.append(everything())
                return names(handle)

            assert interrupted(act[name], removal) == (["ada"], 403)
            assert [everything()] == left
            assert members() == linked() == ["ada"]


def test_what_a_member_did_before_they_were_removed_stays(service, interrupted, subtests):
    act, beginning = acts(service, BOB), on_moto.Snapshot()
    for name in act:
        with subtests.test(name):
            beginning.restore()
            status, handle = interrupted(lambda: put(service, members=["ada"]), act[name])
            assert status < 300
            assert names(handle) == ["ada"]
            assert members() == linked() == ["ada"]


def test_an_organiser_acts_without_being_a_member(service, subtests):
    for name, act in acts(service, gateway.ORGANISER).items():
        with subtests.test(name):
            assert act() < 300


# Deleted groups.


def test_what_is_under_way_when_a_group_is_deleted_does_not_reach_the_next_of_its_identifier(
    service, interrupted, subtests
):
    act, beginning = acts(service, BOB), on_moto.Snapshot()
    for name in act.keys() - {"cancel_run"}:
        with subtests.test(name):
            beginning.restore()

            def deletion_and_another():
                (active,) = [run.id for run in on_moto.runs_of("g") if run.active]
                service.cancel(active)
                assert delete_it(service) == 204
                assert left_of() == []
                found(EVE, owner=EVE)
                return left_of()

            fresh, status = interrupted(act[name], deletion_and_another)
            assert status in (403, 404, 409)
            assert left_of() == fresh
            assert members() == ["eve"]
            handle = service.call("get_group", "GET", *GROUP, user=EVE).json
            assert (handle["files"], handle["runs"]) == ([], [])
            assert service.call("get_group", "GET", *GROUP, user=BOB).status == 403


def test_what_is_done_while_a_deletion_begins_is_deleted_or_keeps_the_group(service, interrupted, subtests):
    act = acts(service, BOB)
    service.cancel(next(run.id for run in on_moto.runs_of("g") if run.active))
    beginning = on_moto.Snapshot()
    for name in act.keys() - {"cancel_run"}:
        with subtests.test(name):
            beginning.restore()
            done, status = interrupted(lambda: delete_it(service), act[name])
            assert done < 300
            starts = name.startswith("start_run")
            assert status == (409 if starts else 204)
            if not starts:
                assert left_of() == []
                service.wait(100_000)
                service.reconcile()
                service.carry_out_removals()
                assert list(bucket.listing("uploads/")) == []


@pytest.fixture
def full(service):
    """A group with more than one batch of everything."""
    for _ in range(12):
        service.succeed(service.started("g"), 0.5)
    for number in range(5):
        upload(service, body={"name": f"{number}.csv", "size": number, "sha256": f"{number}" * 64})
    upload(service)
    service.start("g", "once")
    service.cancel(on_moto.runs_of("g")[0].id)
    return service


def test_a_large_group_is_deleted_in_batches_and_closed_meanwhile(full, monkeypatch, everybody):
    monkeypatch.setattr(delete, "SECONDS", 0)
    assert delete_it(full) == 202
    for person, status in ((BOB, 404), (ADA, 404), (EVE, 403), (gateway.ORGANISER, 404)):
        assert full.call("get_group", "GET", *GROUP, user=person).status == status
        assert full.call("update_group", "PUT", *GROUP, user=person, body={"name": "Ours"}).status == status
        assert full.start("g", user=person).status == status
        assert upload(full, person).status == status
    assert full.call("list_groups", "GET", "/groups").json["groups"] == []
    place = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    for body in ({"name": "New", "identifier": "g"}, {"name": "Group g"}):
        assert full.call("create_group", "POST", *place, body=body, user=EVE).status == 409
    answers = list(itertools.takewhile(lambda status: status == 202, (delete_it(full) for _ in range(20))))
    assert 1 <= len(answers) < 20
    assert left_of() == []
    full.carry_out_removals()
    assert list(bucket.listing("runs/")) == []
    assert (
        full.call("create_group", "POST", *place, body={"name": "Group g", "identifier": "g"}, user=EVE).status == 201
    )


def test_a_deletion_that_nobody_asks_for_again_is_carried_on(full, monkeypatch):
    monkeypatch.setattr(delete, "SECONDS", 0)
    assert delete_it(full) == 202
    full.carry_out_removals()
    full.carry_out_removals()
    assert left_of() == []
    assert "GROUP" not in on_moto.due()


def test_a_group_with_more_members_than_there_may_be_can_be_deleted(service):
    for person in many(0, 118):
        contest.enrol("g", person.id, person.name)
        table.GroupLinkItem(f"USER#{person.id}", "GROUP#g", group="g", workflow="w", name="Group g").save()
    assert delete_it(service) == 204
    assert left_of() == []
    assert linked() == []


def test_only_an_owner_who_still_is_one_deletes(service, interrupted):
    handed, status = interrupted(lambda: delete_it(service), lambda: put(service, owner="bob"))
    assert handed["owner"] == {"id": "u-bob", "username": "bob"}
    assert status == 403
    assert members() == ["ada", "bob"]


# Owners.


def test_a_group_says_who_owns_it(service):
    place = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    created = service.call("create_group", "POST", *place, body={"name": "New"}, user=EVE).json
    assert created["owner"] == {"id": "u-eve", "username": "eve"}
    assert service.call("get_group", "GET", *GROUP, user=BOB).json["owner"] == {"id": "u-ada", "username": "ada"}


def test_an_owner_hands_over_and_leaves_in_one_request_or_in_two(service):
    assert put(service, owner="bob")["owner"]["username"] == "bob"
    left = put(service, members=["bob"])
    assert left == {**left, "members": [], "files": [], "parameters": [], "config": None}
    assert members() == linked() == ["bob"]
    put(service, BOB, members=["bob"], owner="u-bob")
    assert delete_it(service) == 403
    assert delete_it(service, BOB) == 204


def test_an_owner_leaves_to_a_new_member(service, everybody):
    put(service, members=["eve"], owner="eve")
    assert members() == ["eve"]
    assert service.call("get_group", "GET", *GROUP, user=EVE).json["owner"]["id"] == "u-eve"


def test_a_group_is_never_without_its_owner(service):
    assert put(service, members=["bob"], status=409)["code"] == "OWNER_LEFT_OUT"
    assert put(service, BOB, members=["bob"], status=409)["code"] == "OWNER_LEFT_OUT"
    assert put(service, members=["ada"], owner="bob", status=400)["code"] == "OWNER_NOT_A_MEMBER"
    assert put(service, members=["bob"], owner="ada", status=400)["code"] == "OWNER_NOT_A_MEMBER"
    assert put(service, owner="nobody", status=400)["code"] == "UNKNOWN_USER"
    assert (members(), group_items.get("g").owner) == (["ada", "bob"], "u-ada")


def test_only_the_owner_and_organisers_hand_over(service):
    assert put(service, BOB, owner="bob", status=403)["code"] == "OWNERS_ONLY"
    put(service, BOB, owner="ada")
    assert put(service, gateway.ORGANISER, owner="bob")["owner"]["username"] == "bob"


def test_who_leaves_is_told_no_more_than_a_stranger(service):
    upload(service)
    left = put(service, BOB, members=["ada"])
    assert left == {
        "id": "g",
        "name": "Group g",
        "workflow": "w",
        "members": [],
        "parameters": [],
        "files": [],
        "config": None,
    }
    assert service.call("get_group", "GET", *GROUP, user=BOB).status == 403


def test_a_member_stays_whose_account_is_gone(service):
    assert names(put(service, members=["ada", "bob"], name="Ours")) == ["ada", "bob"]
    assert names(put(service, members=["u-ada", "u-bob"], name="Theirs")) == ["ada", "bob"]

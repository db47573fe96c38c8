"""Groups hold together: who is in them, what is theirs, and that nothing of a deleted one is found in the next."""

import itertools

import pytest

from flowserverless.aws import cognito
from flowserverless.operations import delete
from flowserverless.store import bucket, group_items, table, workflow_items
from support import aws_clients, gateway, moto_state, packages, scenario

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


@pytest.fixture
def world(world, user_pool):
    world.now = scenario.START
    scenario.put_workflow(
        "w", packages.ranked(parameters=[{"name": "data", "dtype": "file", "isRequired": False, "target": "data.csv"}])
    )
    found(ADA, BOB)
    return world


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


# Changes at the same moment.


def test_of_three_that_change_the_members_at_once_the_last_wins_and_the_limit_holds(world, everybody, interrupted):
    wanted = [["ada", *(person.name for person in many(first))] for first in (0, 39, 78)]

    def second():
        return interrupted(lambda: put(world, members=wanted[1]), lambda: put(world, members=wanted[0]))

    (first, told), last = interrupted(lambda: put(world, members=wanted[2]), second)
    assert [names(first), names(told), names(last)] == wanted
    assert members() == linked() == wanted[2]
    assert delete_it(world) == 204
    assert left_of() == []


def test_all_members_but_the_owner_can_be_replaced_in_one_request(world, everybody):
    for first in (0, 39, 78):
        people = ["ada", *(person.name for person in many(first))]
        assert names(put(world, members=people, name=f"Group {first}")) == people
        assert members() == linked() == people
    assert world.ask("get_group", "GET", *GROUP).json["name"] == "Group 78"


def test_a_refused_change_leaves_everything(world, everybody):
    found(EVE, identifier="h", owner=EVE)
    put(world, name="Group h", members=["ada", "eve"], status=409)
    put(world, members=[person.name for person in many(0, 41)], status=400)
    put(world, members=[], status=400)
    assert members() == linked() == ["ada", "bob"]
    assert world.ask("get_group", "GET", *GROUP).json["name"] == "Group g"


def test_a_name_that_is_taken_meanwhile_is_refused_and_one_given_twice_is_no_conflict(world, interrupted):
    rename = {"name": "Another"}
    _, told = interrupted(lambda: put(world, **rename), lambda: put(world, **rename))
    assert told["name"] == "Another"
    found(EVE, identifier="h", owner=EVE)
    take = "/groups/{groupId}", {"groupId": "h"}
    theirs, _ = interrupted(
        lambda: put(world, status=409, name="Third"),
        lambda: world.ask("update_group", "PUT", *take, body={"name": "Third"}, user=EVE),
    )
    assert theirs.status == 200
    put(world, name="Fourth")
    assert len([key for key in left_of() if key[1].startswith("NAME#")]) == 2


# What a member does while they are removed.


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


def everything():
    """What is stored of the group, but for who changed it when."""
    items = aws_clients.of("dynamodb").scan(TableName=table.Item.Meta.table_name)["Items"]
    objects = sorted(found.key for found in bucket.listing(""))
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"])), objects


def test_who_is_removed_while_they_act_does_nothing_any_more(world, interrupted, subtests):
    act, beginning = acts(world, BOB), moto_state.Snapshot()
    for name in act:
        with subtests.test(name):
            beginning.restore()
            left = []

            def removal(left=left):
                handle = put(world, members=["ada"])
                left.append(everything())
                return names(handle)

            assert interrupted(act[name], removal) == (["ada"], 403)
            assert [everything()] == left
            assert members() == linked() == ["ada"]


def test_what_a_member_did_before_they_were_removed_stays(world, interrupted, subtests):
    act, beginning = acts(world, BOB), moto_state.Snapshot()
    for name in act:
        with subtests.test(name):
            beginning.restore()
            status, handle = interrupted(lambda: put(world, members=["ada"]), act[name])
            assert status < 300
            assert names(handle) == ["ada"]
            assert members() == linked() == ["ada"]


def test_an_organiser_acts_without_being_a_member(world, subtests):
    for name, act in acts(world, gateway.ORGANISER).items():
        with subtests.test(name):
            assert act() < 300


# Deleted groups.


def test_what_is_under_way_when_a_group_is_deleted_does_not_reach_the_next_of_its_identifier(
    world, interrupted, subtests
):
    act, beginning = acts(world, BOB), moto_state.Snapshot()
    for name in act.keys() - {"cancel_run"}:
        with subtests.test(name):
            beginning.restore()

            def deletion_and_another():
                (active,) = [run.id for run in scenario.runs_of("g") if run.active]
                world.cancel(active)
                assert delete_it(world) == 204
                assert left_of() == []
                found(EVE, owner=EVE)
                return left_of()

            fresh, status = interrupted(act[name], deletion_and_another)
            assert status in (403, 404, 409)
            assert left_of() == fresh
            assert members() == ["eve"]
            handle = world.ask("get_group", "GET", *GROUP, user=EVE).json
            assert (handle["files"], handle["runs"]) == ([], [])
            assert world.ask("get_group", "GET", *GROUP, user=BOB).status == 403


def test_what_is_done_while_a_deletion_begins_is_deleted_or_keeps_the_group(world, interrupted, subtests):
    act = acts(world, BOB)
    world.cancel(next(run.id for run in scenario.runs_of("g") if run.active))
    beginning = moto_state.Snapshot()
    for name in act.keys() - {"cancel_run"}:
        with subtests.test(name):
            beginning.restore()
            done, status = interrupted(lambda: delete_it(world), act[name])
            assert done < 300
            starts = name.startswith("start_run")
            assert status == (409 if starts else 204)
            if not starts:
                assert left_of() == []
                world.wait(100_000)
                world.reconcile()
                world.carry_out_removals()
                assert list(bucket.listing("uploads/")) == []


@pytest.fixture
def full(world):
    """A group with more than one batch of everything."""
    for _ in range(12):
        world.succeed(world.started("g"), 0.5)
    for number in range(5):
        upload(world, body={"name": f"{number}.csv", "size": number, "sha256": f"{number}" * 64})
    upload(world)
    world.try_start("g", "once")
    world.cancel(scenario.runs_of("g")[0].id)
    return world


def test_a_large_group_is_deleted_in_batches_and_closed_meanwhile(full, monkeypatch, everybody):
    monkeypatch.setattr(delete, "SECONDS", 0)
    assert delete_it(full) == 202
    for person, status in ((BOB, 404), (ADA, 404), (EVE, 403), (gateway.ORGANISER, 404)):
        assert full.ask("get_group", "GET", *GROUP, user=person).status == status
        assert full.ask("update_group", "PUT", *GROUP, user=person, body={"name": "Ours"}).status == status
        assert full.try_start("g", user=person).status == status
        assert upload(full, person).status == status
    assert full.ask("list_groups", "GET", "/groups").json["groups"] == []
    place = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    for body in ({"name": "New", "identifier": "g"}, {"name": "Group g"}):
        assert full.ask("create_group", "POST", *place, body=body, user=EVE).status == 409
    answers = list(itertools.takewhile(lambda status: status == 202, (delete_it(full) for _ in range(20))))
    assert 1 <= len(answers) < 20
    assert left_of() == []
    full.carry_out_removals()
    assert list(bucket.listing("runs/")) == []
    assert full.ask("create_group", "POST", *place, body={"name": "Group g", "identifier": "g"}, user=EVE).status == 201


def test_a_deletion_that_nobody_asks_for_again_is_carried_on(full, monkeypatch):
    monkeypatch.setattr(delete, "SECONDS", 0)
    assert delete_it(full) == 202
    full.carry_out_removals()
    full.carry_out_removals()
    assert left_of() == []
    assert "GROUP" not in scenario.due()


def test_a_group_with_more_members_than_there_may_be_can_be_deleted(world):
    for person in many(0, 118):
        scenario.enrol("g", person.id, person.name)
        table.GroupLinkItem(f"USER#{person.id}", "GROUP#g", group="g", workflow="w", name="Group g").save()
    assert delete_it(world) == 204
    assert left_of() == []
    assert linked() == []


def test_only_an_owner_who_still_is_one_deletes(world, interrupted):
    handed, status = interrupted(lambda: delete_it(world), lambda: put(world, owner="bob"))
    assert handed["owner"] == {"id": "u-bob", "username": "bob"}
    assert status == 403
    assert members() == ["ada", "bob"]


# Owners.


def test_a_group_says_who_owns_it(world):
    place = "/workflows/{workflowId}/groups", {"workflowId": "w"}
    created = world.ask("create_group", "POST", *place, body={"name": "New"}, user=EVE).json
    assert created["owner"] == {"id": "u-eve", "username": "eve"}
    assert world.ask("get_group", "GET", *GROUP, user=BOB).json["owner"] == {"id": gateway.ADA.id, "username": "ada"}


def test_an_owner_hands_over_and_leaves_in_one_request_or_in_two(world):
    assert put(world, owner="bob")["owner"]["username"] == "bob"
    left = put(world, members=["bob"])
    assert left == {**left, "members": [], "files": [], "parameters": [], "config": None}
    assert members() == linked() == ["bob"]
    put(world, BOB, members=["bob"], owner="u-bob")
    assert delete_it(world) == 403
    assert delete_it(world, BOB) == 204


def test_an_owner_leaves_to_a_new_member(world, everybody):
    put(world, members=["eve"], owner="eve")
    assert members() == ["eve"]
    assert world.ask("get_group", "GET", *GROUP, user=EVE).json["owner"]["id"] == "u-eve"


def test_a_group_is_never_without_its_owner(world):
    assert put(world, members=["bob"], status=409)["code"] == "OWNER_LEFT_OUT"
    assert put(world, BOB, members=["bob"], status=409)["code"] == "OWNER_LEFT_OUT"
    assert put(world, members=["ada"], owner="bob", status=400)["code"] == "OWNER_NOT_A_MEMBER"
    assert put(world, members=["bob"], owner="ada", status=400)["code"] == "OWNER_NOT_A_MEMBER"
    assert put(world, owner="nobody", status=400)["code"] == "UNKNOWN_USER"
    assert (members(), group_items.get("g").owner) == (["ada", "bob"], gateway.ADA.id)


def test_only_the_owner_and_organisers_hand_over(world):
    assert put(world, BOB, owner="bob", status=403)["code"] == "OWNERS_ONLY"
    put(world, BOB, owner="ada")
    assert put(world, gateway.ORGANISER, owner="bob")["owner"]["username"] == "bob"


def test_who_leaves_is_told_no_more_than_a_stranger(world):
    upload(world)
    left = put(world, BOB, members=["ada"])
    assert left == {
        "id": "g",
        "name": "Group g",
        "workflow": "w",
        "members": [],
        "parameters": [],
        "files": [],
        "config": None,
    }
    assert world.ask("get_group", "GET", *GROUP, user=BOB).status == 403


def test_a_member_stays_whose_account_is_gone(world):
    assert names(put(world, members=["ada", "bob"], name="Ours")) == ["ada", "bob"]
    assert names(put(world, members=[gateway.ADA.id, "u-bob"], name="Theirs")) == ["ada", "bob"]

"""Whatever is sent to the API: it answers what it documents, problem+json when it refuses, and then writes nothing."""

import base64
import contextlib
import copy
import hashlib
import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowserverless import logs
from flowserverless.api import cursors
from flowserverless.domain import names
from flowserverless.operations import delete
from flowserverless.store import bucket
from flowserverless.store import table as stored
from local import emulator
from support import aws_clients, dynamodb_requests, gateway, packages, scenario, strategies

EXAMPLES = 25
LONGEST_CURSOR = 2000
DOCUMENT = json.loads((emulator.PROJECT / "functions" / "get_openapi" / "openapi.json").read_text("utf-8"))
HTTP = ("get", "put", "post", "delete")
ROUTES = {
    described["operationId"]: (method.upper(), path, described)
    for path, item in DOCUMENT["paths"].items()
    for method, described in item.items()
    if method in HTTP
}
# The same function answers PUT and POST.
FUNCTIONS = {"update_group_by_post": "update_group"}
NAMES = {"workflowId": "w", "groupId": "g", "fileId": "000000", "jobId": "000", "userId": "grace"}
# Bodies that would be accepted, to be spoilt.
BODIES = {
    "start_run": {"arguments": [{"name": "count", "value": 2}], "config": {"timeoutSeconds": 60}},
    "cancel_run": {"reason": "enough"},
    "create_group": {
        "name": "new",
        "identifier": "new",
        "members": ["grace"],
        "parameters": [{"name": "count", "dtype": "int"}],
        "config": {"engine": "stepfunctions"},
    },
    "update_group": {"name": "other", "members": ["ada", "grace"], "owner": "ada"},
    "update_group_by_post": {"name": "other", "members": ["ada", "grace"], "owner": "ada"},
    "upload_file": {"name": "data.txt", "size": 5, "sha256": "0" * 64},
    "register_user": {"username": "newcomer", "password": "correct horse", "verify": False},
    "activate_user": {"username": "grace", "code": "123456"},
    "login_user": {"username": "grace", "password": "correct horse"},
    "request_activation": {"username": "grace"},
    "request_password_reset": {"username": "grace"},
    "delete_user": {"password": "correct horse"},
    "change_password": {"password": "correct horse", "newPassword": "battery staple"},
    "reset_password": {"username": "grace", "code": "123456", "password": "correct horse"},
}
LISTINGS = [name for name, (_, _, described) in ROUTES.items() if "cursor" in str(described.get("parameters"))]
READS = [name for name, (method, _, _) in ROUTES.items() if method == "GET"]
HEADS = [name for name in READS if ROUTES[name][2].get("x-head")]
PUBLIC_READS = [name for name in READS if {} in ROUTES[name][2].get("security", [{}])]
# What is downloaded is tagged by S3.
DOWNLOADS = [name for name in READS if "302" in ROUTES[name][2]["responses"]]
COUNT = {"name": "count", "dtype": "int", "defaultValue": 1, "range": "[0,1000]"}


@pytest.fixture
def place(table, bucket, state_machine, user_pool, invoke, monkeypatch):
    """A workflow with a group `g` of ada's, an active run, and a user pool with grace in it."""
    aws_clients.of("cognito-idp").admin_create_user(UserPoolId=user_pool, Username="grace")
    workflow = {**packages.RANKED["workflow"], "parameters": {"count": "$[[count]]"}}
    scenario.put_workflow("w", packages.ranked(parameters=[COUNT], workflow=workflow))
    scenario.put_groups("w", "g")
    return Place(invoke, monkeypatch)


class Place(scenario.World):
    """The service with something in it, called by operation id."""

    def __init__(self, invoke, monkeypatch):
        super().__init__(invoke, monkeypatch)
        self.now = scenario.START
        self.run = self.started("g")

    def send(self, operation, **sent):
        """A request to an operation; its answer is what the document says and has the headers that all have."""
        method, path, described = ROUTES[operation]
        answer = self.ask(FUNCTIONS.get(operation, operation), method, *self.at(path), **sent)
        assert answer.status < 500, answer.body
        assert str(answer.status) in described["responses"], (operation, answer.status, answer.body)
        assert answer.headers["x-request-id"] == gateway.REQUEST
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert "content-encoding" not in answer.headers
        if answer.status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert {"type", "title", "status", "detail", "message", "code"} == answer.json.keys()
            assert (answer.json["status"], answer.json["message"]) == (answer.status, answer.json["detail"])
        return answer

    def at(self, path):
        """A path and the parameters in it."""
        known = {**NAMES, "runId": self.run}
        return path, {name: known[name] for name in re.findall(r"\{(\w+)\}", path)} or None

    def refuses(self, operation, status=400, **sent):
        """A request that has to be refused and to leave no trace."""
        with unchanged() as kept:
            answer = self.send(operation, **sent)
            kept["refused"] = True
        assert answer.status == status, answer.body
        return answer.json


def everything():
    """All items of the table."""
    pages = aws_clients.of("dynamodb").get_paginator("scan").paginate(TableName=stored.Item.Meta.table_name)
    items = [item for page in pages for item in page["Items"]]
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


@contextlib.contextmanager
def unchanged():
    """The table is the same afterwards, if what is done turns out to be `refused`."""
    before, kept = everything(), {"refused": False}
    yield kept
    assert not kept["refused"] or everything() == before


def text(value):
    """JSON as a client may write it, also of what has no form in JSON; halves of characters are escaped."""
    return json.dumps(value)


@pytest.mark.parametrize("operation", sorted(BODIES))
def test_any_body_is_taken_or_refused_without_a_trace(operation, place):
    @settings(max_examples=EXAMPLES)
    @given(strategies.VALUES | strategies.mutations(BODIES[operation]))
    def send(body):
        # Python writes no number that has more digits; there is one in SPOILT.
        with contextlib.suppress(ValueError), unchanged() as kept:
            kept["refused"] = place.send(operation, body=text(body)).status >= 400

    send()


SPOILT = {
    "not JSON": "{",
    "nothing": "",
    "no quotes": "{name: 1}",
    "NaN": '{"name": NaN, "reason": NaN, "username": NaN, "arguments": NaN}',
    "a list": "[1, 2]",
    "a number": "7",
    "deep": '{"name": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "deep and well-formed": '{"arguments": [{"name": "count", "value": ' + "[" * 400 + "]" * 400 + '}], "reason": [], '
    '"name": [], "username": []}',
    "huge number": '{"arguments": [{"name": "count", "value": 1' + "0" * 5000 + '}], "name": 1, "reason": 1}',
    "half a character": '{"name": "\\ud800", "reason": "\\ud800", "username": "\\ud800", "arguments": '
    '[{"name": "\\ud800", "value": 1}]}',
    "no text at all": b"\xff\xfe\x00{",
}


@pytest.mark.parametrize("what", sorted(SPOILT))
def test_what_is_no_such_body_is_refused(what, place):
    for operation in sorted(BODIES):
        # A run may be canceled without a body.
        if (operation, what) != ("cancel_run", "nothing"):
            place.refuses(operation, body=SPOILT[what])


@pytest.mark.parametrize("operation", sorted(BODIES))
def test_a_member_that_is_not_understood_is_refused_and_named_with_those_that_are(operation, place):
    for spoilt in ({**BODIES[operation], "why": "x"}, {"why": "x"}, {**BODIES[operation], "": None}):
        detail = place.refuses(operation, body=spoilt)["detail"]
        assert ("'why'" if "why" in spoilt else "''") in detail
        for known in BODIES[operation]:
            assert f"'{known}'" in detail
    assert place.send("get_run").json["state"] == "PENDING"


def test_a_member_that_is_not_understood_is_refused_wherever_it_stands(place):
    argument = {"name": "count", "value": 2, "type": "int"}
    said = place.refuses("start_run", body={"arguments": [BODIES["start_run"]["arguments"][0], argument]})
    assert said["detail"] == "arguments[1] has the unknown member 'type'; it takes 'name', 'value'"
    said = place.refuses("start_run", body={"config": {"timeout": 1, "cpu": 2}})
    assert said["detail"] == (
        "config has the unknown members 'timeout', 'cpu'; it takes 'engine', 'resources', 'timeoutSeconds'"
    )


def test_a_deletion_takes_no_body_or_an_empty_object(place):
    for operation in ("delete_run", "delete_group", "delete_upload"):
        for body in ({"why": "x"}, "x", "[]", "0", b"\xff"):
            place.refuses(operation, body=body)
    assert place.send("get_run").json["state"] == "PENDING"
    # What flowServ's page sends. Who signs out is signed out whatever else they send.
    place.cancel(place.run)
    assert place.send("delete_run", body="{}").status == 204
    for body in ("{}", '{"why": "x"}'):
        assert place.send("logout_user", body=body).status == 200


def test_a_query_that_is_not_understood_is_refused_and_named_with_those_that_are(place):
    for operation, (_, _, described) in ROUTES.items():
        known = [one["name"] for one in described.get("parameters", ()) if one["in"] == "query"]
        for query in ({"stat": "SUCCESS"}, {"Limit": "5"}, {"": "x"}):
            detail = place.refuses(operation, query=query, body=BODIES.get(operation))["detail"]
            assert f"'{next(iter(query))}'" in detail
            assert all(f"'{name}'" in detail for name in known)
    for operation in LISTINGS:
        place.refuses(operation, query={"limit": ["1", "2"]})
    strange = place.send("list_runs", query={"x": "y"}, user=None)
    assert strange.status == 401, "strangers are told nothing of what is known"


def test_what_caches_and_pages_add_to_a_url_is_no_query(place):
    for name in ("_", "utm_source", "fbclid", "gclid"):
        for operation in ("list_runs", "get_workflow", "browse_api", "describe_service"):
            assert place.send(operation, query={name: "1"}).status == 200


def test_bytes_that_are_no_utf_8_are_refused_before_different_texts_become_the_same(place):
    """API Gateway hands a JSON body on as a text, in which each such byte is U+FFFD."""
    for operation in sorted(BODIES):
        sent = json.dumps(BODIES[operation])
        for spoilt in ("\ufffd", "p\ufffdssword"):
            said = place.refuses(operation, body=sent.replace('": "', f'": "{spoilt}', 1) + "\ufffd")
            assert "the body is not UTF-8" in said["detail"], said
        assert "the body is not UTF-8" in place.refuses(operation, body=sent.encode() + b"\xe4")["detail"]
    place.refuses("delete_run", body="\ufffd")
    place.refuses("delete_run", body=b"\xff")
    # Who writes the character itself can, and bytes that are UTF-8 are as good as a text.
    assert place.send("cancel_run", body=r'{"reason": "\ufffd"}').status == 200
    assert place.send("create_group", body='{"name": "Größe"}'.encode()).json["name"] == "Größe"


def test_a_body_that_is_no_base64_is_refused(place):
    method, path, _ = ROUTES["create_group"]
    event = gateway.event(method, *place.at(path), user=gateway.ADA, body=b'{"name": "x"}')
    answer = gateway.answer(place.invoke("create_group", {**event, "body": event["body"] + "!"}))
    assert (answer.status, "the body is not UTF-8" in answer.json["detail"]) == (400, True)


FAULTS = [
    (
        "create_group",
        '\ufeff{"name": "x"}',
        "the body is not JSON: it begins with a byte order mark, which has to be left out",
    ),
    (
        "create_group",
        {"name": "x", "identifier": "one", "id": "two"},
        "`identifier` and `id` are the same thing and differ; send one of them",
    ),
    ("start_run", '{"arguments": [}', "the body is not JSON: expecting value at line 1, column 16"),
    (
        "start_run",
        '{\n "arguments": [],\n}',
        "the body is not JSON: expecting property name enclosed in double quotes at line 3, column 1",
    ),
    ("create_group", '{"name": NaN}', "the body is not JSON: NaN is no value of JSON"),
    ("create_group", '{"name": ' + "[" * 100_000, "the body is not JSON: it is nested too deeply"),
    ("create_group", '{"name": 1' + "0" * 5000 + "}", "the body is not JSON: a number has too many digits"),
    ("create_group", "", "the body is missing; it has to be a JSON object"),
    ("create_group", None, "the body is missing; it has to be a JSON object"),
    ("create_group", [], "the body has to be an object"),
    ("create_group", {}, "name is missing"),
    ("create_group", {"name": 7}, "name has to be a text"),
    ("create_group", {"name": "  "}, "name is empty"),
    ("create_group", {"name": "x" * 201}, "name has more than 200 characters"),
    ("create_group", {"name": "x", "members": ["a", 7]}, "members[1] has to be a text"),
    ("create_group", {"name": "x", "members": "ada"}, "members has to be a list"),
    ("start_run", {"arguments": [{"value": 1}]}, "arguments[0].name is missing"),
    ("start_run", {"config": {"timeoutSeconds": 0}}, "config.timeoutSeconds has to be at least 1"),
    ("start_run", {"config": {"timeoutSeconds": 1.5}}, "config.timeoutSeconds has to be a whole number"),
    ("start_run", {"config": []}, "config has to be an object"),
    ("cancel_run", {"reason": 7}, "reason has to be a text"),
    ("register_user", {"username": "x", "password": "long enough", "verify": "no"}, "verify has to be true or false"),
    ("upload_file", "{", "the body is not JSON: expecting property name enclosed in double quotes at line 1, column 2"),
    ("upload_file", {"name": "x", "size": "1", "sha256": "0" * 64}, "size has to be a whole number"),
    ("upload_file", {"name": "x", "size": -1, "sha256": "0" * 64}, "size has to be at least 0"),
]


@pytest.mark.parametrize(("operation", "body", "sentence"), FAULTS)
def test_what_is_wrong_with_a_body_is_a_sentence(operation, body, sentence, place):
    assert place.refuses(operation, body=body)["detail"] == sentence


def test_what_is_wrong_with_a_query_is_a_sentence(place):
    for text, sentence in (
        ("0", "the query parameter 'limit' has to be at least 1"),
        ("1001", "the query parameter 'limit' has to be at most 1000"),
        ("many", "the query parameter 'limit' has to be a whole number"),
        ("9" * 5000, "the query parameter 'limit' has to be a smaller number"),
        (["1", "1"], "the query has the parameter 'limit' several times; send it once"),
    ):
        assert place.refuses("list_runs", query={"limit": text})["detail"] == sentence
    said = place.refuses("list_runs", query={"cursor": ["a", "b"]})
    assert said["detail"] == "the query has the parameter 'cursor' several times; send it once"
    said = place.refuses("start_run", body={}, headers={"Idempotency-Key": ""})
    assert said["detail"] == "the header 'Idempotency-Key' is empty"


OTHER_TYPES = (
    *("text/plain", "text/json", "application/x-www-form-urlencoded", "application/octet-stream", "json", ";", "*/*"),
    *("application/jsonp", "application/json-patch+json", "application/problem+json", "application/json, text/plain"),
)


def test_a_body_of_another_type_is_refused(place):
    for operation in sorted(BODIES):
        for kind in OTHER_TYPES:
            said = place.refuses(operation, 415, body=BODIES[operation], headers={"Content-Type": kind})
            assert said["code"] == "UNSUPPORTED_MEDIA_TYPE"
            assert "application/json" in said["detail"]
        if operation != "upload_file":
            for kind in ("multipart/form-data; boundary=b", "multipart/form-data"):
                place.refuses(operation, 415, body=part_of_form("file", "x"), headers={"Content-Type": kind})
    # Who may not call it is not told what it takes.
    kept = place.send("create_group", body="x", headers={"Content-Type": "text/plain"}, user=None)
    assert kept.status == 401


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", " application/json ;x", ""])
def test_json_may_be_called_so_in_several_ways_or_not_at_all(kind, place):
    made = place.send("create_group", body={"name": "new"}, headers={"Content-Type": kind})
    assert made.status == 201, made.body


def test_where_there_is_no_body_its_type_does_not_matter(place):
    assert place.send("cancel_run", headers={"Content-Type": "application/x-www-form-urlencoded"}).status == 200
    for operation in ("list_runs", "get_group", "list_workflows"):
        assert place.send(operation, headers={"Content-Type": "text/plain"}).status == 200
    # Pages made for flowServ delete with an empty object.
    assert place.send("delete_run", body="{}", headers={"Content-Type": "text/plain"}).status == 204


def test_uploads_are_forms_or_announcements(place):
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    place.refuses("upload_file", 415, body=b"x", headers={"Content-Type": "text/plain"})
    place.refuses("upload_file", 415, body=b"x", headers={"Content-Type": ""})
    place.refuses("upload_file", headers=form)
    place.refuses("upload_file", body=b"x", headers=form)
    place.refuses("upload_file", body=b"x", headers={"Content-Type": "multipart/form-data"})
    for part, name in (("other", "x"), ("file", "")):
        place.refuses("upload_file", body=part_of_form(part, name), headers=form)
    for part in ("file", "files"):
        taken = place.send("upload_file", body=part_of_form(part, "ä b.txt"), headers=form)
        assert (taken.status, taken.json["name"], taken.json["size"]) == (201, "ä b.txt", 5)


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def part_of_form(part, name):
    """A form with one file of five bytes."""
    head = f'--b\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
    return head.encode() + b"12345\r\n--b--\r\n"


def test_names_of_any_script_up_to_a_length(place):
    for name in ("Ä" * 200, "研究室 🧪", "a\u0301", "<script>", "'; --"):
        assert place.send("create_group", body={"name": name}).json["name"] == name
    for name in ("Ä" * 201, "", "   ", "\n"):
        place.refuses("create_group", body={"name": name})
    for identifier in ("", "a-b", "ä", "a" * 33, "a\n", "../a"):
        place.refuses("create_group", body={"name": "x", "identifier": identifier})
    place.refuses("create_group", 409, body={"name": "Ä" * 200})
    place.refuses("create_group", 409, body={"name": "x", "identifier": "g"})


def test_what_clients_of_flowserv_send_for_no_filter(place):
    for state in ("", "None", "{state}", "running", "PENDING"):
        assert len(place.send("list_runs", query={"state": state}).json["runs"]) == (state != "running")
    place.refuses("list_runs", query={"state": "{states}"})
    unfilled = {"orderBy": "{orderBy}", "includeAll": "{includeAll}"}
    for query in ({"orderBy": ""}, {"orderBy": "", "includeAll": "False"}, {"includeAll": ""}, unfilled):
        assert place.send("get_leaderboard", query=query, user=None).json["ranking"] == []
    place.refuses("get_leaderboard", query={"includeAll": "perhaps"})


def test_limits_that_make_no_sense(place):
    for operation in LISTINGS:
        for limit in ("0", "-1", "1001", "1.5", "many", "", "9" * 5000, "1_0", " 5", "5 ", "+5", "5\n", "\u0663"):
            place.refuses(operation, query={"limit": limit})
        for limit in ("1", "1000"):
            assert place.send(operation, query={"limit": limit}).status == 200


def listings(place):
    """What cursors are marked with, by operation."""
    user = f"users/{gateway.ADA.id}"
    return {
        "list_runs": "groups/g/runs",
        "list_run_files": f"runs/{place.run}/files",
        "list_uploads": "uploads/g/files",
        "list_groups": f"{user}/groups",
        "list_workflow_groups": f"{user}/workflows/w/groups",
        "list_workflows": "workflows",
        "list_users": "users",
        "get_leaderboard": "workflows/w/leaderboard",
    }


def test_cursors_that_make_no_sense(place):
    positions = ([], [None], [{}], [[1]], ["ä"], ["x" * 2000], [-1, -1], [7])
    assert listings(place).keys() == set(LISTINGS)
    for operation, listing in listings(place).items():
        made = [cursors.write(listing, *position) for position in positions]
        for garbage in ("garbage", "ä", "=", "e30", "W10", "Nw", *made):
            place.refuses(operation, query={"cursor": garbage})


@pytest.mark.parametrize("operation", LISTINGS)
def test_any_cursor_is_taken_or_refused(operation, place):
    positions = st.lists(strategies.SCALARS.filter(lambda value: not isinstance(value, int)), max_size=3)
    listing = listings(place)[operation]

    @settings(max_examples=EXAMPLES)
    @given(st.text(max_size=30) | positions.map(lambda position: cursors.write(listing, *position)))
    def send(at):
        place.send(operation, query={"cursor": at})

    send()


@pytest.mark.parametrize("operation", LISTINGS)
def test_a_cursor_that_was_tampered_with_is_taken_or_refused(operation, place):
    """The right mark and the right kinds of values with anything in them; and those with another letter somewhere."""
    shapes = {"list_run_files": [int, int], "get_leaderboard": [str, int, int, str]}
    ascii_texts = st.text(st.characters(max_codepoint=127), max_size=12)
    texts = ascii_texts | st.sampled_from(["~", "~~", "\x7f", "", "#", "GROUP#~", "/", ":", "z" * 1015, "~" * 1015])
    numbers = st.integers(0, 2**53 - 1)
    kinds = shapes.get(operation, [str])
    positions = st.tuples(*(texts if kind is str else numbers for kind in kinds))
    listing = listings(place)[operation]
    letters = st.characters(min_codepoint=32, max_codepoint=126)

    @settings(max_examples=2 * EXAMPLES)
    @given(positions, st.integers(0, 40), st.none() | letters)
    def send(position, at, letter):
        made = cursors.write(listing, *position)
        if letter:
            made = made[:at] + letter + made[at + 1 :]
        answer = place.send(operation, query={"cursor": made})
        # Two names as long as a key can be are more than the service ever hands out, or takes.
        refusals = ("INVALID_CURSOR", "OUTDATED_CURSOR") if len(made) <= LONGEST_CURSOR else ("INVALID_REQUEST",)
        assert answer.status == 200 or answer.json["code"] in refusals

    send()


def test_a_cursor_of_a_listing_of_names_holds_a_name(place):
    for operation in ("list_runs", "list_uploads", "list_groups", "list_workflow_groups", "list_workflows"):
        for tampered in ("~", "\x7f", "", "g!", "GROUP#g", "g" * 33):
            at = cursors.write(listings(place)[operation], tampered)
            assert place.refuses(operation, query={"cursor": at})["code"] == "INVALID_CURSOR"


def test_pages_stay_in_order_while_rows_are_added(place):
    begun = [place.run, *(place.started("g") for _ in range(6))]
    known = [run["id"] for run in place.send("list_runs").json["runs"]]
    assert sorted(known) == sorted(begun)
    seen, query = [], {"limit": "2"}
    while True:
        page = place.send("list_runs", query=query).json
        seen += [run["id"] for run in page["runs"]]
        place.started("g")
        if "next" not in page:
            break
        query["cursor"] = page["next"]
    assert seen == known


def test_a_cursor_belongs_to_one_listing(place):
    place.started("g")
    scenario.put_workflow("v")
    scenario.put_groups("w", "h")
    for operation in ("list_runs", "list_uploads", "list_groups", "list_workflow_groups", "list_workflows"):
        at = cursors.write(listings(place)[operation], "g")
        assert place.send(operation, query={"cursor": at}).status == 200
    given = {}
    for operation in ("list_runs", "list_groups", "list_workflow_groups", "list_workflows"):
        given[operation] = place.send(operation, query={"limit": "1"}).json["next"]
    for operation in LISTINGS:
        for origin, at in given.items():
            if origin == operation:
                assert place.send(operation, query={"cursor": at}).status == 200
            else:
                assert place.refuses(operation, query={"cursor": at})["code"] == "INVALID_CURSOR"
    of_another_group = "/groups/{groupId}/runs", {"groupId": "h"}
    answer = place.ask("list_runs", "GET", *of_another_group, query={"cursor": given["list_runs"]})
    assert answer.status == 400


def test_a_page_of_a_members_groups_of_a_workflow_is_full_whatever_else_they_belong_to(place):
    scenario.put_workflow("v")
    for number in range(5):
        scenario.put_groups("v", f"a{number}")
        scenario.put_groups("w", f"h{number}")
    seen, query = [], {"limit": "2"}
    while True:
        page = place.send("list_workflow_groups", query=query).json
        seen.append([group["id"] for group in page["groups"]])
        if "next" not in page:
            break
        query["cursor"] = page["next"]
    assert seen == [["g", "h0"], ["h1", "h2"], ["h3", "h4"]]


def test_deletions_have_no_body(place):
    file = place.send("upload_file", body=copy.copy(BODIES["upload_file"])).json["id"]
    gone = {"delete_upload": (ROUTES["delete_upload"][1], {"groupId": "g", "fileId": file})}
    place.cancel(place.run)
    gone["delete_run"] = ("/runs/{runId}", {"runId": place.run})
    gone["delete_group"] = ("/groups/{groupId}", {"groupId": "g"})
    for operation, request in gone.items():
        answer = place.ask(operation, "DELETE", *request)
        assert (answer.status, answer.body) == (204, b"")
        assert "content-type" not in answer.headers
        assert answer.headers["x-request-id"] == gateway.REQUEST


def test_every_listing_is_paged():
    listings = {name for name in ROUTES if name.startswith("list_")} | {"get_leaderboard"}
    assert set(LISTINGS) == listings
    for name in listings:
        assert {"limit", "cursor"} <= {one["name"] for one in ROUTES[name][2]["parameters"]}


def test_an_answer_that_the_caller_has_is_not_sent_again(place):
    for operation in sorted(set(READS) - set(DOWNLOADS)):
        first = place.send(operation)
        assert (first.status, first.body != b"") == (200, True), operation
        tag = first.headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*", f'"a,b",{tag},"c"'):
            again = place.send(operation, headers={"if-none-match": known})
            assert (again.status, again.body) == (304, b""), (operation, known)
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == first.headers["cache-control"]
            assert "content-type" not in again.headers
        for other in ('"other"', tag.strip('"'), "", '"', f'"{tag[1:8]}"'):
            assert place.send(operation, headers={"If-None-Match": other}).body == first.body


def test_an_answer_that_has_changed_is_sent_again(place):
    known = place.send("get_run").headers["etag"]
    place.cancel(place.run)
    changed = place.send("get_run", headers={"If-None-Match": known})
    assert (changed.status, changed.json["state"]) == (200, "CANCELED")
    table = place.send("get_leaderboard", headers={"Accept": "text/csv", "If-None-Match": board_tag(place)})
    assert (table.status, table.headers["vary"]) == (200, "Accept")


def board_tag(place):
    """What names the leaderboard as JSON."""
    return place.send("get_leaderboard").headers["etag"]


def test_only_what_is_read_can_be_the_same(place):
    known = {"If-None-Match": "*"}
    assert place.send("cancel_run", headers=known, body={}).status == 200
    place.cancel(place.run)
    said = place.send("get_group", headers=known, user=gateway.Person("u-eve", "eve"))
    assert (said.status, "etag" in said.headers) == (403, False)
    assert place.send("get_group", headers=known, user=None).status == 401


def test_what_is_somebodys_is_kept_nowhere_and_what_is_everybodys_not_without_asking(place):
    documents = {"get_openapi", "browse_api"}
    for operation in sorted(set(READS) - set(DOWNLOADS) - documents):
        assert place.send(operation).headers["cache-control"] == "no-store"
        if operation in PUBLIC_READS:
            assert place.send(operation, user=None).headers["cache-control"] == "no-cache"
    for operation in documents:
        assert place.send(operation).headers["cache-control"] == "public, max-age=3600"


def test_head_has_the_headers_of_get_and_no_body(place):
    for operation in sorted(HEADS):
        _, path, _ = ROUTES[operation]
        got = place.send(operation)
        for user in (gateway.ADA, None):
            full, head = (place.ask(operation, method, *place.at(path), user=user) for method in ("GET", "HEAD"))
            assert (head.status, head.body) == (full.status, b""), operation
            assert head.headers.keys() == full.headers.keys()
            links = ("location",)
            assert {k: v for k, v in head.headers.items() if k not in links} == {
                k: v for k, v in full.headers.items() if k not in links
            }
        tag = got.headers.get("etag")
        if tag:
            known = place.ask(operation, "HEAD", *place.at(path), headers={"If-None-Match": tag})
            assert known.status == 304


def test_a_download_that_is_asked_for_with_head_leads_to_a_link_for_head(place):
    content = part_of_form("file", "x.txt")
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    file = place.send("upload_file", body=content, headers=form).json["id"]
    path = "/uploads/{groupId}/files/{fileId}", {"groupId": "g", "fileId": file}
    get, head = (place.ask("get_upload", method, *path).headers["location"] for method in ("GET", "HEAD"))
    # Signatures are of different methods, and of the same name and type.
    assert signature(get) != signature(head)
    assert get.partition("&X-Amz-")[0] == head.partition("&X-Amz-")[0]


def signature(url):
    """The signature of a link."""
    return re.search(r"X-Amz-Signature=(\w+)", url)[1]


def test_the_request_id_is_in_the_log(place, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(logs.logger.registered_handler, "stream", log)
    place.send("get_group")
    place.send("get_group", user=None)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["correlation_id"], line["status"]) for line in lines] == [
        (gateway.REQUEST, 200),
        (gateway.REQUEST, 401),
    ]


def test_an_old_client_that_asks_for_no_limit_sees_a_thousand_runs(place):
    known = stored.get(stored.run(stored.ids.run_id(place.run))).attribute_values
    with stored.RunItem.batch_write() as batch:
        for number in range(1000):
            identifier = stored.ids.ulid(number, bytes(10))
            values = {name: value for name, value in known.items() if name not in ("pk", "sk", "kind", "due", "due_at")}
            batch.save(stored.RunItem(*stored.run(stored.ids.RunId(stored.ids.Owner("g"), identifier)), **values))
    page = place.send("list_runs").json
    assert len({run["id"] for run in page["runs"]}) == 1000
    assert [run["id"] for run in page["runs"]] == sorted((run["id"] for run in page["runs"]), reverse=True)
    (last,) = place.send("list_runs", query={"cursor": page["next"]}).json["runs"]
    assert last["id"] not in {run["id"] for run in page["runs"]}
    assert len(place.send("get_group").json["runs"]) == 1000


def test_a_group_may_take_no_parameters_at_all(place):
    place.refuses("create_group", body={"name": "none", "parameters": []})
    scenario.put_workflow("plain", packages.ranked(parameters=[COUNT]))
    at = "/workflows/{workflowId}/groups", {"workflowId": "plain"}
    for name, declared, wanted in (("none", [], []), ("all", None, ["count"])):
        body = {"name": name, "identifier": name, "parameters": declared}
        made = place.ask("create_group", "POST", *at, body=body)
        shown = place.ask("get_group", "GET", "/groups/{groupId}", {"groupId": name})
        changed = place.ask("update_group", "PUT", "/groups/{groupId}", {"groupId": name}, body={"name": f"{name}2"})
        for handle in (made, shown, changed):
            assert [one["name"] for one in handle.json["parameters"]] == wanted
        argument = [{"name": "count", "value": 2}]
        begun = place.try_start(name, arguments=argument)
        assert begun.status == (201 if wanted else 400)
        run = place.try_start(name)
        assert (run.status, [one["name"] for one in run.json["parameters"]]) == (201, wanted)


def test_a_groups_own_parameters_do_not_make_its_own_rules(place):
    rules = [COUNT, {"name": "data", "dtype": "file", "target": "data/mine.csv", "isRequired": False}]
    scenario.put_workflow("w", packages.ranked(parameters=rules))
    for own in (
        {"name": "data", "dtype": "file", "target": "code/score.py"},
        {"name": "data", "dtype": "string", "defaultValue": "data/labels.csv"},
        {"name": "count", "dtype": "int", "range": "[0,1000000]"},
        {"name": "more", "dtype": "file"},
    ):
        refused = place.refuses("create_group", body={"name": "cheats", "parameters": [own]})
        assert refused["code"] == "INVALID_PARAMETERS"
        assert own["name"] in refused["detail"]


def test_a_groups_own_parameters_have_to_fit_the_version_that_runs(place):
    own = [{"name": "count", "dtype": "int", "range": "[500,1000]"}]
    assert place.send("create_group", body={"name": "own", "identifier": "own", "parameters": own}).status == 201
    assert place.try_start("own", arguments=[{"name": "count", "value": 600}]).status == 201
    scenario.put_workflow("w", packages.ranked(parameters=[{**COUNT, "range": "[0,10]"}]))
    refused = place.try_start("own", arguments=[{"name": "count", "value": 600}])
    assert (refused.status, refused.json["code"]) == (400, "INVALID_PARAMETERS")
    assert "not within the workflow's [0,10]" in refused.json["detail"]
    scenario.put_workflow("w", packages.ranked(parameters=[{"name": "threshold", "dtype": "float"}]))
    refused = place.try_start("own")
    assert (refused.status, refused.json["code"]) == (400, "INVALID_PARAMETERS")
    assert "the workflow requires 'threshold'" in refused.json["detail"]


def test_a_configuration_that_no_run_could_have_is_refused_with_the_group(place):
    for config in ({"resources": {"bogus": 1}}, {"engine": "external"}, {"resources": {"vcpu": 3}}):
        place.refuses("create_group", body={"name": "configured", "config": config})


def test_writes_are_seen_that_refused_requests_must_not_make(place):
    # The fixture `invoke` looks for them after every refusal of every test.
    with dynamodb_requests.committed() as writes:
        scenario.put_run("w", "g")
    assert "TransactWriteItems" in writes
    with dynamodb_requests.committed() as writes:
        assert place.try_start("g", arguments=[{"name": "count", "value": "many"}]).status == 400
    assert writes == []


def test_a_stale_token_closes_what_is_closed_and_nothing_else(place):
    stale = {"user": None, "problem": "the token has expired"}
    for operation, (_, _, described) in ROUTES.items():
        answer = place.send(operation, **stale, body=BODIES.get(operation))
        security = described.get("security", [])
        closed = security and {} not in security
        downloads = operation in ("get_result_file", "get_result_archive", "get_upload")
        assert (answer.status == 401) == bool(closed or downloads or operation == "login_user"), operation
        if closed:
            assert answer.json["detail"] == "the token has expired"
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_very_long_id_is_not_found(place):
    for operation, (method, path, _) in ROUTES.items():
        for name in re.findall(r"\{(\w+)\}", path):
            _, known = place.at(path)
            for long in ("x" * 501, "é" * 3000):
                answer = place.ask(FUNCTIONS.get(operation, operation), method, path, {**known, name: long})
                assert answer.status in (404, 415), (operation, answer.body)


LOOKALIKES = {
    "team é": "Team É",
    "Team  É": "Team É",
    " Team\u3000É ": "Team É",
    "Team E\u0301": "Team É",
    "Team É\u3164": "Team É",
    "Te\u2064am É": "Team É",
    "Team\u200c É": "Team É",
    "Team É": "Team É\ufe0f",
    "\uff34eam É": "Team É",
}


def groups_of(place):
    """How the workflow's groups are called, in the table and by the items that keep names unique."""
    items = everything()
    called = sorted(item["name"]["S"] for item in items if item["sk"]["S"] == "GROUP")
    assert sorted(item["name"]["S"] for item in items if item["sk"]["S"].startswith("NAME#")) == called
    return called


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_group_is_not_called_what_looks_like_another_group(place, name):
    place.send("create_group", body={"name": LOOKALIKES[name]})
    place.send("create_group", body={"name": "another", "identifier": "another"})
    assert place.refuses("create_group", 409, body={"name": name})["code"] == "GROUP_NAME_TAKEN"
    with unchanged() as kept:
        kept["refused"] = True
        renamed = place.ask("update_group", "PUT", "/groups/{groupId}", {"groupId": "another"}, body={"name": name})
    assert (renamed.status, renamed.json["code"]) == (409, "GROUP_NAME_TAKEN")


def test_a_name_is_shown_as_it_is_written_and_may_be_written_otherwise(place):
    place.send("update_group", body={"name": "❤\ufe0f  Team A"})
    for name in ("❤\ufe0f Team  A", "\u2764 team a", "\u2764 TEAM A", "other"):
        assert place.send("update_group", body={"name": name}).json["name"] == name
        assert groups_of(place) == [name]
    assert place.send("create_group", body={"name": "❤ Team A"}).status == 201


@pytest.mark.parametrize("name", ["\u3164", "\u2064\u200c", "\u2800", "\ufe0f", "\u0308"])
def test_a_name_that_nobody_can_see_is_refused(place, name):
    for operation in ("create_group", "update_group"):
        assert "can be seen" in place.refuses(operation, body={"name": name})["detail"]
    announced = {"size": 1, "sha256": "0" * 64}
    assert "can be seen" in place.refuses("upload_file", body={"name": name, **announced})["detail"]


@pytest.mark.parametrize("control", sorted(names.BIDI_CONTROLS))
def test_nothing_turns_the_direction_of_a_file_name(place, control):
    name = f"report{control}fdp.exe"
    announced = {"size": 1, "sha256": "0" * 64}
    assert "direction" in place.refuses("upload_file", body={"name": name, **announced})["detail"]
    assert "direction" in place.refuses("upload_file", body=part_of_form("file", name), headers=FORM)["detail"]


def test_no_refusal_shows_a_regular_expression(place):
    announced = {"name": "x", "size": 1}
    for operation, body, words in (
        ("create_group", {"name": "x", "identifier": "a b"}, "letters from a to z, digits and underscores"),
        ("create_group", {"name": "x", "id": "a-b"}, "letters from a to z, digits and underscores"),
        ("create_group", {"name": "x", "config": {"engine": "cron"}}, "'stepfunctions' or 'external'"),
        ("start_run", {"arguments": [], "config": {"engine": ""}}, "'stepfunctions' or 'external'"),
        ("upload_file", {**announced, "sha256": "0" * 63}, "64 hexadecimal digits"),
        ("upload_file", {**announced, "sha256": "g" * 64}, "64 hexadecimal digits"),
    ):
        detail = place.refuses(operation, body=body)["detail"]
        assert words in detail
        assert not re.search(r"pattern|[\^\\]|\$|\[a-z", detail), detail


def test_patterns_are_documented_for_programs_and_never_a_constraint_of_their_own():
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["AnnounceUpload"]["properties"]["sha256"]["pattern"] == "^[0-9a-fA-F]{64}$"
    for path in (emulator.PROJECT / "layers" / "flowserverless" / "flowserverless").rglob("*.py"):
        assert not re.search(r"(?<!_)pattern=r?[\"']", path.read_text("utf-8")), path.name


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "a\x7fb", "abc\u202egnp.exe"])
def test_a_name_that_looks_like_another_is_refused(place, name):
    assert place.refuses("create_group", body={"name": name})["code"] == "INVALID_REQUEST"
    assert place.refuses("update_group", body={"name": name})["code"] == "INVALID_REQUEST"


def test_a_group_is_deleted_though_somebody_else_deletes_its_runs(place, monkeypatch):

    place.cancel(place.run)
    once = delete.run

    def twice(run, now):
        once(run, now)
        once(run, now)

    monkeypatch.setattr(delete, "run", twice)
    assert place.send("delete_group").status == 204
    assert place.send("get_group").status == 403


def test_the_archive_of_an_active_run_is_not_a_reason_to_cancel_it(place):
    answer = place.send("get_result_archive")
    assert (answer.status, answer.json["code"]) == (409, "RUN_IS_ACTIVE")
    assert "when it ends" in answer.json["detail"]


def test_a_package_in_a_folder_of_the_inbox_publishes_nothing(place, invoke):
    key = "inbox/workflows/elsewhere/w.zip"
    bucket.write(key, b"whatever")
    report = invoke("publish_workflow", {"key": key})
    assert (report["status"], [fault["place"] for fault in report["faults"]]) == ("rejected", ["name"])


def test_the_handle_of_a_run_tells_which_python_executed_it(place):
    place.stage(place.run)
    assert "python" not in place.send("get_run").json
    place.end(place.run, {**scenario.SUCCEEDED, "python": "3.13.2"})
    handle = place.send("get_run").json
    assert (handle["python"], handle["steps"][0]["python"]) == ("3.13.2", "3.13.2")


def test_a_workflow_shows_the_callers_groups_of_it_and_strangers_none(place):
    scenario.put_workflow("v")
    scenario.put_groups("v", "elsewhere")
    scenario.put_groups("w", "h")
    scenario.enrol("h", gateway.ADA.id, "ada")
    shown = place.send("get_workflow").json["groups"]
    assert shown == place.send("list_workflow_groups").json["groups"]
    assert {"id": "g", "name": shown[0]["name"], "workflow": "w"} == shown[0]
    assert place.send("get_workflow", user=gateway.Person("u-eve", "eve")).json["groups"] == []
    for stranger in ({"user": None}, {"user": None, "problem": "the token has expired"}):
        assert "groups" not in place.send("get_workflow", **stranger).json


def test_what_depends_on_the_caller_is_told_apart_by_caches(place):
    eve = gateway.Person("u-eve", "eve")
    for operation in ("get_workflow", "describe_service"):
        answers = [place.send(operation, user=user) for user in (gateway.ADA, eve, None)]
        assert len({answer.headers["etag"] for answer in answers}) == 3
        assert [answer.headers["cache-control"] for answer in answers] == ["no-store", "no-store", "no-cache"]
        for answer in answers:
            assert answer.headers["vary"] == "Authorization, api_key"
            again = place.send(operation, user=None, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status == (304 if answer is answers[2] else 200)
            assert again.headers["vary"] == answer.headers["vary"]


def test_the_beginning_leads_to_the_documentation(place):
    answer = place.send("describe_service", user=None)
    docs, document = answer.json["docs"], answer.json["openapi"]
    assert (docs, document) == (f"{answer.json['url']}/docs", f"{answer.json['url']}/openapi.json")
    assert answer.headers["link"] == f'<{document}>; rel="service-desc", <{docs}>; rel="service-doc"'
    assert "Link" in answer.headers["access-control-expose-headers"]


HOSTS = {
    "its own domain": ("", "/v1", "https://{domainName}{basePath}"),
    "a custom domain": ("", "", "https://{domainName}{basePath}"),
    "a custom domain with a base path": ("/bench", "/bench", "https://{domainName}{basePath}"),
    "a base path of two parts": ("/a/b", "/a/b", "https://{domainName}{basePath}"),
    "one machine": ("", "/v1", "http://127.0.0.1:4566/_aws/execute-api/{apiId}/{stage}"),
}


@pytest.mark.parametrize("host", HOSTS)
def test_the_document_says_where_the_api_is_and_operations_are_found_there(host, place, monkeypatch):
    inside, base, form = HOSTS[host]
    monkeypatch.setenv("API_URL_FORM", form)
    machine = f"http://127.0.0.1:4566/_aws/execute-api/{gateway.API}/{gateway.STAGE}"
    url = machine if host == "one machine" else f"https://{gateway.API}.execute-api.us-east-1.amazonaws.com{base}"
    found = {}
    for operation in ("describe_service", "get_openapi", "browse_api", "get_run", "list_runs", "list_workflows"):
        _, path, _ = ROUTES[operation]
        _, names = place.at(path)
        event = gateway.event("GET", path, names, user=gateway.ADA)
        route = event["path"]
        event["path"] = f"{inside}{route}"
        event["requestContext"]["path"] = f"{base}{route}"
        found[operation] = gateway.answer(place.invoke(operation, event))
        assert found[operation].status == 200, found[operation].body
    assert found["describe_service"].json["url"] == url
    assert found["get_openapi"].json["servers"] == [{"url": url}]
    assert f'"{url}/openapi.json"'.encode() in found["browse_api"].body


def test_the_page_of_the_api_runs_what_is_in_it_and_nothing_else(place):
    answer = place.send("browse_api", user=None)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "*" not in answer.headers["content-security-policy"]
    page = answer.body.decode()
    for kind, name in (("script", "script-src"), ("style", "style-src")):
        inside = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.S)
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inside]
        assert policy[name].split() == [f"'sha256-{digest}'" for digest in digests]
        assert f"<{kind} " not in page.replace(inside[0], "")
    assert " src=" not in page.replace(re.findall(r"<script>(.*?)</script>", page, re.S)[0], "")
    own, api_itself, objects, s3 = policy["connect-src"].split()
    url = place.send("describe_service", user=None).json["url"]
    assert (own, api_itself) == ("'self'", url.removesuffix("/v1"))
    assert bucket.link("any").startswith(f"{objects}/any")
    assert s3 == objects.replace(f"{bucket.bucket_name()}.", "")

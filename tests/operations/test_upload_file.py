"""Bringing files: small ones in a form, large ones announced and posted to S3; the same bytes are the same file."""

import base64
import hashlib
import json
import urllib.parse

import pytest

from flowserverless.store import bucket
from support import gateway, packages, uploads

ANNOUNCED = {"body": {"name": "data.csv", "size": uploads.SIZE, "sha256": uploads.DIGEST}}


@pytest.fixture
def world(world):
    world.publish({"parameters": [uploads.FILE], "workflow": {"steps": [packages.STEP]}})
    return world


def download(world, file, status=302):
    path = {"groupId": "bench", "fileId": file}
    return world.call("get_upload", "GET", "/uploads/{groupId}/files/{fileId}", path, status)


@pytest.mark.parametrize("part", ["file", "files"])
def test_a_form_is_stored_with_its_true_size_and_digest(world, part):
    handle = uploads.send(world, **uploads.form(part=part))
    assert (handle["name"], handle["size"]) == ("data.csv", len(uploads.CONTENT))
    assert handle["sha256"] == hashlib.sha256(uploads.CONTENT).hexdigest()
    assert world.get(f"uploads/bench/{handle['id']}") == uploads.CONTENT
    assert uploads.start(world, handle["id"])["state"] == "PENDING"


def test_contents_are_kept_byte_for_byte(world):
    for content in [b"", b"\r\n", b"\r\n--x-boundar\r\n", bytes(range(256)) * 400]:
        handle = uploads.send(world, **uploads.form(content))
        assert handle["size"] == len(content)
        assert world.get(f"uploads/bench/{handle['id']}") == content


NAMES = [
    ('filename="../../etc/passwd"', "passwd"),
    ('filename="/tmp/scores.csv"', "scores.csv"),
    ('filename="C:\\Users\\ada\\scores.csv"', "scores.csv"),
    ('filename="Ärger 機械.csv"', "Ärger 機械.csv"),
    ('filename="it\'s; 100%.csv"', "it's; 100%.csv"),
    ('filename="a \\"quoted\\" name.csv"', 'a "quoted" name.csv'),
    ("filename*=UTF-8''%C3%84rger%20%E6%A9%9F.csv", "Ärger 機.csv"),
    ("filename*=iso-8859-1'de'%C4rger.csv", "Ärger.csv"),
    ("filename=plain.csv; filename*=UTF-8''other.csv", "plain.csv"),
    ('filename="  spaces .csv  "', "spaces .csv"),
]


def test_names_lose_their_folders_and_nothing_else(world):
    for sent, name in NAMES:
        handle = uploads.send(world, **uploads.form(filename=sent))
        assert handle["name"] == name
        saved = urllib.parse.parse_qs(urllib.parse.urlsplit(download(world, handle["id"]).headers["location"]).query)
        (disposition,) = saved["response-content-disposition"]
        assert disposition.endswith(f"filename*=UTF-8''{urllib.parse.quote(name, safe='')}")
        assert uploads.announce(world, name)["name"] == name


@pytest.mark.parametrize("name", ["", "  ", ".", "..", "a/", "tab\there", "x" * 300, "ü" * 130])
def test_names_that_name_no_file_are_refused(world, name):
    uploads.send(world, 400, **uploads.form(filename=f'filename="{name}"'))
    uploads.announce(world, name, status=400)
    assert world.listed("uploads/") == []


def test_media_types_are_taken_as_stated_or_guessed(world):
    stated = [("text/plain", "text/plain"), ("", "text/csv"), ("nonsense", "text/csv"), ('text/x;a="b"', "text/x")]
    for sent, expected in stated:
        link = download(world, uploads.send(world, **uploads.form(media_type=sent))["id"]).headers["location"]
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
        assert query["response-content-type"] in ([expected], ["application/octet-stream"])


def test_bodies_that_are_no_form_are_refused(world):
    typed = {"Content-Type": f"multipart/form-data; boundary={uploads.BOUNDARY}"}
    broken = [
        {"body": b"", "headers": typed},
        {"body": b"--x-boundary", "headers": typed},
        {"body": uploads.form()["body"][:-20], "headers": typed},
        {"body": uploads.form()["body"], "headers": {"Content-Type": "multipart/form-data"}},
        uploads.form(part="other"),
        uploads.form(filename="nofilename=1"),
        {"body": "{", "headers": {"Content-Type": "application/json"}},
        {"body": [], "headers": {"Content-Type": "application/json"}},
        {"body": {"name": "x", "size": -1, "sha256": "0" * 64}},
        {"body": {"name": "x", "size": 1, "sha256": "0" * 63}},
        {"body": {"name": "x", "size": 1.5, "sha256": "0" * 64}},
    ]
    for sent in broken:
        assert uploads.send(world, 400, **sent)["title"] == "Bad Request", sent
    for headers in ({"Content-Type": "text/csv"}, {"Content-Type": ""}):
        refused = uploads.send(world, 415, body=uploads.form()["body"], headers=headers)
        assert refused["title"] == "Unsupported Media Type"
    assert world.listed("uploads/") == []


def test_what_is_wrong_with_a_form_is_a_sentence(world):
    """None of the parser's own words, which are for those who know how it reads."""
    typed = {"Content-Type": f"multipart/form-data; boundary={uploads.BOUNDARY}"}
    whole = uploads.form()["body"]
    in_latin = whole.replace(b"data.csv", "Größe.csv".encode("latin-1"))
    between = "its parts have to stand between the boundary that the Content-Type names, to the end"
    for body, headers, sentence in (
        (whole, {"Content-Type": "multipart/form-data"}, "the Content-Type has to name the boundary between its parts"),
        (b"garbage", typed, between),
        (whole[:-20], typed, between),
        (in_latin, typed, "what stands before a part, such as the file's name, has to be in UTF-8"),
        (
            uploads.form(filename="filename*=UTF-8''%FF")["body"],
            typed,
            "what stands before a part, such as the file's name, has to be in UTF-8",
        ),
        (
            whole.replace(b"Content-Type: text/csv", b"X y"),
            typed,
            'before each part has to stand Content-Disposition: form-data; name="..."',
        ),
        (
            whole.replace(b"Content-Type: text/csv", b"X: " + b"y" * 99999),
            typed,
            "it has too many parts, or too much stands before one of them",
        ),
    ):
        refused = uploads.send(world, 400, body=body, headers=headers)
        assert refused["detail"] == f"the form cannot be read: {sentence}", body
    assert world.listed("uploads/") == []


def test_a_form_with_two_files_is_refused_before_one_of_them_is_lost(world):
    end = f"--{uploads.BOUNDARY}--\r\n".encode()
    for part in ("file", "files", "other"):
        second = uploads.form(part=part)
        sent = {**second, "body": uploads.form()["body"].removesuffix(end) + second["body"]}
        assert uploads.send(world, 400, **sent)["detail"] == "the form has 2 files; send a request for each"
    assert world.listed("uploads/") == []


def test_a_field_beside_the_file_does_no_harm(world):
    field = f'--{uploads.BOUNDARY}\r\nContent-Disposition: form-data; name="comment"\r\n\r\nmine\r\n'.encode()
    sent = uploads.form()
    assert uploads.send(world, **{**sent, "body": field + sent["body"]})["size"] == len(uploads.CONTENT)


def test_a_body_that_is_not_base64_is_refused(world):
    event = gateway.event("POST", *uploads.PLACE, user=gateway.ADA, **uploads.form())
    event["body"] = "not base64!"
    assert gateway.answer(world.invoke("upload_file", event)).status == 400


def test_what_lambda_would_not_take_is_refused_with_advice(world):
    """The emulator has no such limit; on AWS the gateway's own answer says the same."""
    largest = bytes((6 << 20) * 3 // 4 - (80 << 10))
    assert uploads.send(world, **uploads.form(largest))["size"] == len(largest)

    refused = uploads.send(world, 413, **uploads.form(bytes((6 << 20) * 3 // 4)))

    assert refused["code"] == "REQUEST_TOO_LARGE"
    assert "announce" in refused["detail"]


def test_limits_of_the_installation(world, monkeypatch):
    monkeypatch.setenv("UPLOAD_BYTES", str(len(uploads.CONTENT) - 1))
    assert uploads.send(world, 413, **uploads.form())["code"] == "FILE_TOO_LARGE"
    assert uploads.announce(world, status=413)["code"] == "FILE_TOO_LARGE"
    assert world.listed("uploads/") == []


def test_an_announced_file_can_be_used_once_it_is_there_and_right(world):
    handle = uploads.announce(world)
    file, key = handle["id"], f"uploads/bench/{handle['id']}"
    assert handle["state"] == "PENDING"
    assert handle["upload"]["fields"]["key"] == key

    for wrong in [None, b"", uploads.CONTENT[:-1], uploads.CONTENT[:-1] + b"x"]:
        if wrong is not None:
            world.put(key, wrong)
        assert uploads.start(world, file, 409)["code"] == "UPLOAD_INCOMPLETE"
        assert download(world, file, 409).json["code"] == "UPLOAD_INCOMPLETE"

    world.put(key, uploads.CONTENT)
    assert uploads.start(world, file)["state"] == "PENDING"
    assert download(world, file).headers["location"]
    (listed,) = world.call("list_uploads", "GET", *uploads.PLACE).json["files"]
    assert "state" not in listed


def test_an_empty_file_can_be_announced(world):
    handle = uploads.announce(world, size=0, sha256=hashlib.sha256(b"").hexdigest())
    world.put(f"uploads/bench/{handle['id']}", b"")
    assert uploads.start(world, handle["id"])["state"] == "PENDING"


def test_the_signed_form_takes_this_file_only(world):
    """S3 enforces the policy (see tests/stack); here it says what it has to say."""
    handle = uploads.announce(world)
    policy = json.loads(base64.b64decode(handle["upload"]["fields"]["policy"]))
    checksum = base64.b64encode(hashlib.sha256(uploads.CONTENT).digest()).decode()
    assert ["content-length-range", len(uploads.CONTENT), len(uploads.CONTENT)] in policy["conditions"]
    assert {"key": f"uploads/bench/{handle['id']}"} in policy["conditions"]
    assert {"x-amz-checksum-sha256": checksum} in policy["conditions"]


def test_only_members_upload(world):
    assert uploads.send(world, 403, user=gateway.BOB, **uploads.form())["code"] == "NO_ACCESS"
    assert uploads.send(world, 401, user=None, **uploads.form())["code"] == "UNAUTHENTICATED"
    assert uploads.send(world, user=gateway.ORGANISER, **uploads.form())["name"] == "data.csv"


def test_the_same_bytes_are_the_same_file_however_they_come(world):
    file = uploads.send(world, **uploads.form())["id"]
    assert uploads.send(world, **uploads.form())["id"] == file
    again = uploads.announce(world)
    assert (again["id"], again.get("state"), again.get("upload")) == (file, None, None)
    assert uploads.announce(world, sha256=uploads.DIGEST.upper())["id"] == file
    assert uploads.listed(world) == [file]
    assert world.listed("uploads/") == [f"uploads/bench/{file}"]
    assert uploads.send(world, **uploads.form(uploads.CONTENT + b"x"))["id"] != file


def test_the_same_bytes_under_another_name_are_the_same_file_with_that_name(world):
    file = uploads.send(world, **uploads.form())["id"]
    renamed = uploads.send(world, **uploads.form(filename='filename="labels.csv"'))
    assert (renamed["id"], renamed["name"]) == (file, "labels.csv")
    assert uploads.announce(world, "again.csv")["name"] == "again.csv"
    (shown,) = world.call("list_uploads", "GET", *uploads.PLACE).json["files"]
    assert (shown["id"], shown["name"]) == (file, "again.csv")


def test_an_announced_file_is_one_until_and_after_it_arrived(world):
    first, again = uploads.announce(world), uploads.announce(world)
    assert first["id"] == again["id"]
    assert again["upload"]["fields"]["key"] == f"uploads/bench/{first['id']}"
    world.put(f"uploads/bench/{first['id']}", uploads.CONTENT)
    arrived = uploads.announce(world)
    assert (arrived["id"], arrived.get("state"), arrived.get("upload")) == (first["id"], None, None)


def test_bytes_that_were_announced_may_come_in_a_form(world):
    file = uploads.announce(world)["id"]
    handle = uploads.send(world, **uploads.form())
    assert (handle["id"], handle.get("state")) == (file, None)
    assert uploads.start(world, file)["state"] == "PENDING"


def test_an_announcement_that_can_never_come_true_takes_the_place_of_nothing(world):
    wrong = uploads.announce(world, size=uploads.SIZE + 1)["id"]
    assert uploads.send(world, **uploads.form())["id"] != wrong


def test_files_of_different_groups_have_nothing_to_do_with_each_other(world):
    world.publish({"parameters": [uploads.FILE], "workflow": {"steps": [packages.STEP]}}, "other")
    theirs = world.call("upload_file", "POST", "/uploads/{groupId}/files", {"groupId": "other"}, **uploads.form()).json
    assert uploads.send(world, **uploads.form())["id"] != theirs["id"]


@pytest.mark.parametrize("late", [uploads.form(), ANNOUNCED])
@pytest.mark.parametrize("early", [uploads.form(), ANNOUNCED])
def test_the_same_bytes_brought_twice_at_once_are_one_file(world, interrupted, early, late):
    first, second = interrupted(lambda: uploads.send(world, **late), lambda: uploads.send(world, **early))
    assert first["id"] == second["id"]
    assert uploads.listed(world) == [first["id"]]
    assert world.listed("uploads/") in ([], [f"uploads/bench/{first['id']}"])


def lose(world, file):
    bucket.remove([f"uploads/bench/{file}"])


def swap(world, file):
    world.put(f"uploads/bench/{file}", uploads.CONTENT[:-1] + b"x")


@pytest.mark.parametrize("harm", [lose, swap])
@pytest.mark.parametrize("first", [uploads.form, lambda: ANNOUNCED])
def test_bytes_that_are_sent_again_are_there_again(world, harm, first):
    file = uploads.send(world, **first())["id"]
    world.put(f"uploads/bench/{file}", uploads.CONTENT)
    uploads.start(world, file)
    harm(world, file)
    again = uploads.send(world, **uploads.form())
    assert (again["id"], again.get("state")) == (file, None)
    assert world.get(f"uploads/bench/{file}") == uploads.CONTENT
    assert uploads.start(world, file)["state"] == "PENDING"


@pytest.mark.parametrize("harm", [lose, swap])
def test_bytes_that_are_announced_again_get_a_form_unless_they_are_there(world, harm, later):
    file = uploads.send(world, **uploads.form())["id"]
    harm(world, file)
    later(hours=30)
    again = uploads.announce(world)
    assert (again["id"], again["state"]) == (file, "PENDING")
    assert again["upload"]["fields"]["key"] == f"uploads/bench/{file}"
    assert uploads.start(world, file, 409)["code"] == "UPLOAD_INCOMPLETE"
    world.put(f"uploads/bench/{file}", uploads.CONTENT)
    assert uploads.announce(world).get("upload") is None
    assert uploads.start(world, file)["state"] == "PENDING"


def test_bytes_that_are_sent_again_and_are_there_are_not_written_again(world, monkeypatch):
    file = uploads.send(world, **uploads.form())["id"]
    touched = []
    monkeypatch.setattr(bucket, "write_upload", lambda *_: touched.append("written"))
    monkeypatch.setattr(bucket, "_get", lambda *_: touched.append("read"))
    assert uploads.send(world, **uploads.form())["id"] == file
    assert touched == []


def test_a_file_that_goes_while_it_is_looked_at_is_not_there(world, monkeypatch):
    key = f"uploads/bench/{uploads.announce(world)['id']}"
    world.put(key, uploads.CONTENT)
    assert bucket.is_complete(key, uploads.SIZE, uploads.DIGEST)
    found = bucket.head(key)
    bucket.remove([key])
    monkeypatch.setattr(bucket, "head", lambda _: {name: found[name] for name in ("ContentLength", "ETag")})
    assert not bucket.is_complete(key, uploads.SIZE, uploads.DIGEST)
    assert bucket.tail(key, 5) is None

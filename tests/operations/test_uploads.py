"""Input files: small ones in a form, large ones announced and posted to S3; a run gets only what arrived whole."""

import base64
import hashlib
import json
import urllib.parse
from datetime import timedelta

import pytest

from flowserverless import clock
from flowserverless.store import bucket, run_items, table
from support import dynamodb_requests, gateway, iam, packages

CONTENT = b"id,label\n1,7\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
BOUNDARY = "x-boundary"
PLACE = ("/uploads/{groupId}/files", {"groupId": "bench"})
FILE = {"name": "data", "dtype": "file", "target": "data.csv"}


@pytest.fixture
def world(world):
    world.publish({"parameters": [FILE], "workflow": {"steps": [packages.STEP]}})
    return world


def form(content=CONTENT, part="file", filename='filename="data.csv"', media_type="text/csv"):
    """A request's body and headers, as a browser sends a file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; {filename}\r\n'
    kind = f"Content-Type: {media_type}\r\n" if media_type else ""
    body = f"{head}{kind}\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return {"body": body, "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}}


def send(world, status=201, **sent):
    return world.call("upload_file", "POST", *PLACE, status=status, **sent).json


def announce(world, name="data.csv", size=SIZE, sha256=DIGEST, **options):
    return send(world, body={"name": name, "size": size, "sha256": sha256}, **options)


def start(world, file, status=None):
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": file}}}]
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"}, status)
    return world.call(*path, body={"arguments": arguments}).json


def download(world, file, status=302):
    path = {"groupId": "bench", "fileId": file}
    return world.call("get_upload", "GET", "/uploads/{groupId}/files/{fileId}", path, status)


@pytest.mark.parametrize("part", ["file", "files"])
def test_a_form_is_stored_with_its_true_size_and_digest(world, part):
    handle = send(world, **form(part=part))
    assert (handle["name"], handle["size"]) == ("data.csv", len(CONTENT))
    assert handle["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert world.get(f"uploads/bench/{handle['id']}") == CONTENT
    assert start(world, handle["id"])["state"] == "PENDING"


@pytest.mark.parametrize("announced", [False, True])
def test_a_step_is_told_the_size_and_digest_that_the_run_was_started_with(world, announced):
    handle = announce(world) if announced else send(world, **form())
    world.put(f"uploads/bench/{handle['id']}", CONTENT)
    run = start(world, handle["id"])["id"]
    world.put(f"uploads/bench/{handle['id']}", b"posted once more with the same form")
    version = run_items.get(run).version
    world.invoke("stage_step", {"run": run, "workflow": "bench", "version": version, "step": 0, "outcome": None})
    inputs = json.loads(world.get(f"runs/{run}/manifests/000.json"))["inputs"]
    (told,) = (each for each in inputs if "/uploads/" in each["url"])
    assert (told["path"], told["size"], told["sha256"]) == ("data.csv", SIZE, DIGEST)


def test_contents_are_kept_byte_for_byte(world):
    for content in [b"", b"\r\n", b"\r\n--x-boundar\r\n", bytes(range(256)) * 400]:
        handle = send(world, **form(content))
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
        handle = send(world, **form(filename=sent))
        assert handle["name"] == name
        saved = urllib.parse.parse_qs(urllib.parse.urlsplit(download(world, handle["id"]).headers["location"]).query)
        (disposition,) = saved["response-content-disposition"]
        assert disposition.endswith(f"filename*=UTF-8''{urllib.parse.quote(name, safe='')}")
        assert announce(world, name)["name"] == name


@pytest.mark.parametrize("name", ["", "  ", ".", "..", "a/", "tab\there", "x" * 300, "ü" * 130])
def test_names_that_name_no_file_are_refused(world, name):
    send(world, 400, **form(filename=f'filename="{name}"'))
    announce(world, name, status=400)
    assert world.listed("uploads/") == []


def test_media_types_are_taken_as_stated_or_guessed(world):
    stated = [("text/plain", "text/plain"), ("", "text/csv"), ("nonsense", "text/csv"), ('text/x;a="b"', "text/x")]
    for sent, expected in stated:
        link = download(world, send(world, **form(media_type=sent))["id"]).headers["location"]
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
        assert query["response-content-type"] in ([expected], ["application/octet-stream"])


def test_bodies_that_are_no_form_are_refused(world):
    typed = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    broken = [
        {"body": b"", "headers": typed},
        {"body": b"--x-boundary", "headers": typed},
        {"body": form()["body"][:-20], "headers": typed},
        {"body": form()["body"], "headers": {"Content-Type": "multipart/form-data"}},
        form(part="other"),
        form(filename="nofilename=1"),
        {"body": "{", "headers": {"Content-Type": "application/json"}},
        {"body": [], "headers": {"Content-Type": "application/json"}},
        {"body": {"name": "x", "size": -1, "sha256": "0" * 64}},
        {"body": {"name": "x", "size": 1, "sha256": "0" * 63}},
        {"body": {"name": "x", "size": 1.5, "sha256": "0" * 64}},
    ]
    for sent in broken:
        assert send(world, 400, **sent)["title"] == "Bad Request", sent
    for headers in ({"Content-Type": "text/csv"}, {"Content-Type": ""}):
        assert send(world, 415, body=form()["body"], headers=headers)["title"] == "Unsupported Media Type"
    assert world.listed("uploads/") == []


def test_what_is_wrong_with_a_form_is_a_sentence(world):
    """None of the parser's own words, which are for those who know how it reads."""
    typed = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    whole = form()["body"]
    in_latin = whole.replace(b"data.csv", "Größe.csv".encode("latin-1"))
    between = "its parts have to stand between the boundary that the Content-Type names, to the end"
    for body, headers, sentence in (
        (whole, {"Content-Type": "multipart/form-data"}, "the Content-Type has to name the boundary between its parts"),
        (b"garbage", typed, between),
        (whole[:-20], typed, between),
        (in_latin, typed, "what stands before a part, such as the file's name, has to be in UTF-8"),
        (
            form(filename="filename*=UTF-8''%FF")["body"],
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
        assert send(world, 400, body=body, headers=headers)["detail"] == f"the form cannot be read: {sentence}", body
    assert world.listed("uploads/") == []


def test_a_form_with_two_files_is_refused_before_one_of_them_is_lost(world):
    end = f"--{BOUNDARY}--\r\n".encode()
    for part in ("file", "files", "other"):
        second = form(part=part)
        sent = {**second, "body": form()["body"].removesuffix(end) + second["body"]}
        assert send(world, 400, **sent)["detail"] == "the form has 2 files; send a request for each"
    assert world.listed("uploads/") == []


def test_a_field_beside_the_file_does_no_harm(world):
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="comment"\r\n\r\nmine\r\n'.encode()
    sent = form()
    assert send(world, **{**sent, "body": field + sent["body"]})["size"] == len(CONTENT)


def test_a_body_that_is_not_base64_is_refused(world):
    event = gateway.event("POST", *PLACE, user=gateway.ADA, **form())
    event["body"] = "not base64!"
    assert gateway.answer(world.invoke("upload_file", event)).status == 400


def test_what_lambda_would_not_take_is_refused_with_advice(world):
    """The emulator has no such limit; on AWS the gateway's own answer says the same."""
    largest = bytes((6 << 20) * 3 // 4 - (80 << 10))
    assert send(world, **form(largest))["size"] == len(largest)

    refused = send(world, 413, **form(bytes((6 << 20) * 3 // 4)))

    assert refused["code"] == "REQUEST_TOO_LARGE"
    assert "announce" in refused["detail"]


def test_limits_of_the_installation(world, monkeypatch):
    monkeypatch.setenv("UPLOAD_BYTES", str(len(CONTENT) - 1))
    assert send(world, 413, **form())["code"] == "FILE_TOO_LARGE"
    assert announce(world, status=413)["code"] == "FILE_TOO_LARGE"
    assert world.listed("uploads/") == []


def test_an_announced_file_can_be_used_once_it_is_there_and_right(world):
    handle = announce(world)
    file, key = handle["id"], f"uploads/bench/{handle['id']}"
    assert handle["state"] == "PENDING"
    assert handle["upload"]["fields"]["key"] == key

    for wrong in [None, b"", CONTENT[:-1], CONTENT[:-1] + b"x"]:
        if wrong is not None:
            world.put(key, wrong)
        assert start(world, file, 409)["code"] == "UPLOAD_INCOMPLETE"
        assert download(world, file, 409).json["code"] == "UPLOAD_INCOMPLETE"

    world.put(key, CONTENT)
    assert start(world, file)["state"] == "PENDING"
    assert download(world, file).headers["location"]
    (listed,) = world.call("list_uploads", "GET", *PLACE).json["files"]
    assert "state" not in listed


def test_an_empty_file_can_be_announced(world):
    handle = announce(world, size=0, sha256=hashlib.sha256(b"").hexdigest())
    world.put(f"uploads/bench/{handle['id']}", b"")
    assert start(world, handle["id"])["state"] == "PENDING"


def test_the_signed_form_takes_this_file_only(world):
    """S3 enforces the policy (see tests/stack); here it says what it has to say."""
    handle = announce(world)
    policy = json.loads(base64.b64decode(handle["upload"]["fields"]["policy"]))
    checksum = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert ["content-length-range", len(CONTENT), len(CONTENT)] in policy["conditions"]
    assert {"key": f"uploads/bench/{handle['id']}"} in policy["conditions"]
    assert {"x-amz-checksum-sha256": checksum} in policy["conditions"]


def test_files_of_other_groups_cannot_be_used(world):
    world.publish({"parameters": [FILE], "workflow": {"steps": [packages.STEP]}}, "other")
    handle = send(world, **form())
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": handle["id"]}}}]
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "other"}, 404)
    world.call(*path, body={"arguments": arguments})


def test_only_members_upload(world):
    assert send(world, 403, user=gateway.BOB, **form())["code"] == "NO_ACCESS"
    assert send(world, 401, user=None, **form())["code"] == "UNAUTHENTICATED"
    assert send(world, user=gateway.ORGANISER, **form())["name"] == "data.csv"


@pytest.fixture
def later(monkeypatch):
    """Lets hours pass."""
    begun = clock.now()

    def wait(hours):
        monkeypatch.setattr(clock, "now", lambda: begun + timedelta(hours=hours))

    return wait


def delete(world, file):
    path = {"groupId": "bench", "fileId": file}
    return world.call("delete_upload", "DELETE", "/uploads/{groupId}/files/{fileId}", path)


@pytest.mark.parametrize("deletion", ["file", "group"])
def test_what_is_posted_for_a_deleted_file_is_removed_once_nothing_can_follow(world, later, deletion):
    file = announce(world)["id"]
    if deletion == "file":
        delete(world, file)
    else:
        world.call("delete_group", "DELETE", "/groups/{groupId}", {"groupId": "bench"})
    world.put(f"uploads/bench/{file}", CONTENT)
    later(hours=23)
    assert "uploads" not in world.invoke("reconcile_runs", {})
    later(hours=25)
    assert world.invoke("reconcile_runs", {})["uploads"] == 1
    assert world.listed("uploads/") == []
    assert "uploads" not in world.invoke("reconcile_runs", {})


def test_a_deletion_that_was_interrupted_is_finished_by_the_reconciler(world, later, monkeypatch):
    file = send(world, **form())["id"]
    with monkeypatch.context() as during:
        during.setattr(bucket, "remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            delete(world, file)
    assert world.call("list_uploads", "GET", *PLACE).json["files"] == []
    assert start(world, file, 409)["code"] == "FILE_DELETED"
    later(hours=25)
    assert world.invoke("reconcile_runs", {})["uploads"] == 1
    assert world.listed("uploads/") == []


def interrupted(*_):
    raise KeyboardInterrupt


def test_to_an_old_file_nobody_comes_back(world, later):
    file = announce(world)["id"]
    later(hours=25)
    delete(world, file)
    assert table.get(table.withdrawn("bench", file)) is None


# A file and the runs that take it.


def delete_status(world, file):
    path = {"groupId": "bench", "fileId": file}
    request = gateway.event("DELETE", "/uploads/{groupId}/files/{fileId}", path, user=gateway.ADA)
    answer = gateway.answer(world.invoke("delete_upload", request))
    return answer.status, answer.status >= 400 and answer.json["code"]


def start_status(world, file, other=None):
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": file}}}]
    place = "/groups/{groupId}/runs", {"groupId": "bench"}
    answer = gateway.answer(
        world.invoke("start_run", gateway.event("POST", *place, user=gateway.ADA, body={"arguments": arguments}))
    )
    return answer.status, answer.status >= 400 and answer.json["code"]


@pytest.mark.parametrize("used_before", [False, True])
def test_of_a_start_and_a_deletion_of_its_file_at_the_same_moment_one_is_refused(world, interrupted, used_before):
    for deletion_first in (True, False):
        file = send(world, **form(f"{deletion_first}".encode()))["id"]
        if used_before:
            run = start(world, file)["id"]
            world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run})
        acts = [lambda: delete_status(world, file), lambda: start_status(world, file)]  # noqa: B023
        first, second = acts if deletion_first else reversed(acts)
        told = interrupted(second, rival=first)
        assert told == ((204, False), (409, "FILE_DELETED")) if deletion_first else ((201, False), (409, "FILE_IN_USE"))
        assert start_status(world, file) == ((409, "FILE_DELETED") if deletion_first else (201, False))


def test_a_file_is_deleted_once_no_active_run_takes_it(world):
    file = send(world, **form())["id"]
    run = start(world, file)["id"]
    assert delete_status(world, file) == (409, "FILE_IN_USE")
    world.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run})
    assert delete_status(world, file) == (204, False)
    assert delete_status(world, file) == (404, "NOT_FOUND")


def test_a_deletion_waits_for_no_run_without_the_file(world, interrupted):
    file, other = send(world, **form())["id"], send(world, **form(b"other"))["id"]
    started, deleted = interrupted(lambda: delete_status(world, file), lambda: start_status(world, other))
    assert (started, deleted) == ((201, False), (204, False))


def test_a_run_takes_as_many_files_as_a_transaction_holds(world):
    many = {"name": "many", "dtype": "list", "para": {"name": "one", "dtype": "file"}}
    world.publish({"parameters": [many], "workflow": {"steps": [packages.STEP]}}, "list")
    place = "/uploads/{groupId}/files", {"groupId": "list"}
    value = []
    for number in range(90):
        file = world.call("upload_file", "POST", *place, **form(b"%d" % number)).json["id"]
        value.append({"type": "$file", "value": {"fileId": file, "targetPath": f"data/{number}.csv"}})
    world.start("list", arguments=[{"name": "many", "value": value}], headers={"Idempotency-Key": "k"})
    path = {"groupId": "list", "fileId": value[-1]["value"]["fileId"]}
    world.call("delete_upload", "DELETE", "/uploads/{groupId}/files/{fileId}", path, 409)


# The same bytes are the same file.


def listed(world):
    return [one["id"] for one in world.call("list_uploads", "GET", *PLACE).json["files"]]


def test_the_same_bytes_are_the_same_file_however_they_come(world):
    file = send(world, **form())["id"]
    assert send(world, **form())["id"] == file
    again = announce(world)
    assert (again["id"], again.get("state"), again.get("upload")) == (file, None, None)
    assert announce(world, sha256=DIGEST.upper())["id"] == file
    assert listed(world) == [file]
    assert world.listed("uploads/") == [f"uploads/bench/{file}"]
    assert send(world, **form(CONTENT + b"x"))["id"] != file


def test_the_same_bytes_under_another_name_are_the_same_file_with_that_name(world):
    file = send(world, **form())["id"]
    renamed = send(world, **form(filename='filename="labels.csv"'))
    assert (renamed["id"], renamed["name"]) == (file, "labels.csv")
    assert announce(world, "again.csv")["name"] == "again.csv"
    (shown,) = world.call("list_uploads", "GET", *PLACE).json["files"]
    assert (shown["id"], shown["name"]) == (file, "again.csv")


def test_a_job_that_uploads_and_starts_twice_with_one_key_has_one_run(world):
    def job():
        file = send(world, **form())["id"]
        value = {"type": "$file", "value": {"fileId": file}}
        return world.start(arguments=[{"name": "data", "value": value}], headers={"Idempotency-Key": "job"})["id"]

    assert job() == job()


def test_an_announced_file_is_one_until_and_after_it_arrived(world):
    first, again = announce(world), announce(world)
    assert first["id"] == again["id"]
    assert again["upload"]["fields"]["key"] == f"uploads/bench/{first['id']}"
    world.put(f"uploads/bench/{first['id']}", CONTENT)
    arrived = announce(world)
    assert (arrived["id"], arrived.get("state"), arrived.get("upload")) == (first["id"], None, None)


def test_bytes_that_were_announced_may_come_in_a_form(world):
    file = announce(world)["id"]
    handle = send(world, **form())
    assert (handle["id"], handle.get("state")) == (file, None)
    assert start(world, file)["state"] == "PENDING"


def test_an_announcement_that_can_never_come_true_takes_the_place_of_nothing(world):
    wrong = announce(world, size=SIZE + 1)["id"]
    assert send(world, **form())["id"] != wrong


def test_files_of_different_groups_have_nothing_to_do_with_each_other(world):
    world.publish({"parameters": [FILE], "workflow": {"steps": [packages.STEP]}}, "other")
    theirs = world.call("upload_file", "POST", "/uploads/{groupId}/files", {"groupId": "other"}, **form()).json
    assert send(world, **form())["id"] != theirs["id"]


@pytest.mark.parametrize("late", [form(), {"body": {"name": "data.csv", "size": SIZE, "sha256": DIGEST}}])
@pytest.mark.parametrize("early", [form(), {"body": {"name": "data.csv", "size": SIZE, "sha256": DIGEST}}])
def test_the_same_bytes_brought_twice_at_once_are_one_file(world, interrupted, early, late):
    first, second = interrupted(lambda: send(world, **late), lambda: send(world, **early))
    assert first["id"] == second["id"]
    assert listed(world) == [first["id"]]
    assert world.listed("uploads/") in ([], [f"uploads/bench/{first['id']}"])


def test_a_deleted_file_that_is_brought_again_is_another(world, later):
    file = send(world, **form())["id"]
    delete(world, file)
    again = send(world, **form())["id"]
    assert again != file
    later(hours=25)
    world.invoke("reconcile_runs", {})
    assert world.listed("uploads/") == [f"uploads/bench/{again}"]
    assert start(world, again)["state"] == "PENDING"


def test_a_file_that_is_deleted_while_it_is_brought_again_is_another_then(world, interrupted, later):
    file = announce(world)["id"]
    _, again = interrupted(lambda: send(world, **form(filename='filename="x.csv"')), lambda: delete(world, file))
    assert again["id"] != file
    assert listed(world) == [again["id"]]
    assert world.listed("uploads/") == [f"uploads/bench/{again['id']}"]


def test_a_file_that_is_deleted_while_its_bytes_are_written_leaves_none(world, monkeypatch):
    write, gone = bucket.write_upload, []

    def late(key, *rest):
        if not gone:
            gone.append(key.rpartition("/")[2])
            with iam.asked(), dynamodb_requests.committed():
                delete(world, gone[0])
        write(key, *rest)

    monkeypatch.setattr(bucket, "write_upload", late)
    file = send(world, **form())["id"]
    assert file != gone[0]
    assert world.listed("uploads/") == [f"uploads/bench/{file}"]


def test_a_deletion_looks_after_the_form_that_was_given_last(world, later):
    file = announce(world)["id"]
    later(hours=30)
    assert announce(world)["upload"]
    delete(world, file)
    world.put(f"uploads/bench/{file}", CONTENT)
    later(hours=53)
    assert "uploads" not in world.invoke("reconcile_runs", {})
    later(hours=55)
    assert world.invoke("reconcile_runs", {})["uploads"] == 1
    assert world.listed("uploads/") == []


# What is uploaded again is there again.


def lose(world, file):
    bucket.remove([f"uploads/bench/{file}"])


def swap(world, file):
    world.put(f"uploads/bench/{file}", CONTENT[:-1] + b"x")


@pytest.mark.parametrize("harm", [lose, swap])
@pytest.mark.parametrize("first", [form, lambda: {"body": {"name": "data.csv", "size": SIZE, "sha256": DIGEST}}])
def test_bytes_that_are_sent_again_are_there_again(world, harm, first):
    file = send(world, **first())["id"]
    world.put(f"uploads/bench/{file}", CONTENT)
    start(world, file)
    harm(world, file)
    again = send(world, **form())
    assert (again["id"], again.get("state")) == (file, None)
    assert world.get(f"uploads/bench/{file}") == CONTENT
    assert start(world, file)["state"] == "PENDING"


@pytest.mark.parametrize("harm", [lose, swap])
def test_bytes_that_are_announced_again_get_a_form_unless_they_are_there(world, harm, later):
    file = send(world, **form())["id"]
    harm(world, file)
    later(hours=30)
    again = announce(world)
    assert (again["id"], again["state"]) == (file, "PENDING")
    assert again["upload"]["fields"]["key"] == f"uploads/bench/{file}"
    assert start(world, file, 409)["code"] == "UPLOAD_INCOMPLETE"
    world.put(f"uploads/bench/{file}", CONTENT)
    assert announce(world).get("upload") is None
    assert start(world, file)["state"] == "PENDING"


def test_bytes_that_are_sent_again_and_are_there_are_not_written_again(world, monkeypatch):
    file = send(world, **form())["id"]
    touched = []
    monkeypatch.setattr(bucket, "write_upload", lambda *_: touched.append("written"))
    monkeypatch.setattr(bucket, "_get", lambda *_: touched.append("read"))
    assert send(world, **form())["id"] == file
    assert touched == []


def test_a_file_that_goes_while_it_is_looked_at_is_not_there(world, monkeypatch):
    key = f"uploads/bench/{announce(world)['id']}"
    world.put(key, CONTENT)
    assert bucket.is_complete(key, SIZE, DIGEST)
    found = bucket.head(key)
    bucket.remove([key])
    monkeypatch.setattr(bucket, "head", lambda _: {name: found[name] for name in ("ContentLength", "ETag")})
    assert not bucket.is_complete(key, SIZE, DIGEST)
    assert bucket.tail(key, 5) is None

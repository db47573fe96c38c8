"""Input files: small ones in a form, large ones announced and posted to S3; a run gets only what arrived whole."""

import base64
import hashlib
import json
import urllib.parse
from datetime import timedelta

import pytest

from flowserverless import clock
from flowserverless.store import bucket, run_items, table
from support import gateway, policies, requests_made, workbench

CONTENT = b"id,label\n1,7\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
BOUNDARY = "x-boundary"
PLACE = ("/uploads/{groupId}/files", {"groupId": "bench"})
FILE = {"name": "data", "dtype": "file", "target": "data.csv"}


@pytest.fixture
def bench(invoke, monkeypatch, table, bucket, state_machine):
    made = workbench.Bench(invoke, monkeypatch)
    made.publish({"parameters": [FILE], "workflow": {"steps": [workbench.STEP]}})
    return made


def form(content=CONTENT, part="file", filename='filename="data.csv"', media_type="text/csv"):
    """A request's body and headers, as a browser sends a file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; {filename}\r\n'
    kind = f"Content-Type: {media_type}\r\n" if media_type else ""
    body = f"{head}{kind}\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return {"body": body, "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}}


def send(bench, status=201, **sent):
    return bench.call("upload_file", "POST", *PLACE, status=status, **sent).json


def announce(bench, name="data.csv", size=SIZE, sha256=DIGEST, **options):
    return send(bench, body={"name": name, "size": size, "sha256": sha256}, **options)


def start(bench, file, status=None):
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": file}}}]
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "bench"}, status)
    return bench.call(*path, body={"arguments": arguments}).json


def download(bench, file, status=302):
    path = {"groupId": "bench", "fileId": file}
    return bench.call("get_upload", "GET", "/uploads/{groupId}/files/{fileId}", path, status)


@pytest.mark.parametrize("part", ["file", "files"])
def test_a_form_is_stored_with_its_true_size_and_digest(bench, part):
    handle = send(bench, **form(part=part))
    assert (handle["name"], handle["size"]) == ("data.csv", len(CONTENT))
    assert handle["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert bench.get(f"uploads/bench/{handle['id']}") == CONTENT
    assert start(bench, handle["id"])["state"] == "PENDING"


@pytest.mark.parametrize("announced", [False, True])
def test_a_step_is_told_the_size_and_digest_that_the_run_was_started_with(bench, announced):
    handle = announce(bench) if announced else send(bench, **form())
    bench.put(f"uploads/bench/{handle['id']}", CONTENT)
    run = start(bench, handle["id"])["id"]
    bench.put(f"uploads/bench/{handle['id']}", b"posted once more with the same form")
    version = run_items.get(run).version
    bench.invoke("stage_step", {"run": run, "workflow": "bench", "version": version, "step": 0, "outcome": None})
    inputs = json.loads(bench.get(f"runs/{run}/manifests/000.json"))["inputs"]
    (told,) = (each for each in inputs if "/uploads/" in each["url"])
    assert (told["path"], told["size"], told["sha256"]) == ("data.csv", SIZE, DIGEST)


def test_contents_are_kept_byte_for_byte(bench):
    for content in [b"", b"\r\n", b"\r\n--x-boundar\r\n", bytes(range(256)) * 400]:
        handle = send(bench, **form(content))
        assert handle["size"] == len(content)
        assert bench.get(f"uploads/bench/{handle['id']}") == content


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


def test_names_lose_their_folders_and_nothing_else(bench):
    for sent, name in NAMES:
        handle = send(bench, **form(filename=sent))
        assert handle["name"] == name
        saved = urllib.parse.parse_qs(urllib.parse.urlsplit(download(bench, handle["id"]).headers["location"]).query)
        (disposition,) = saved["response-content-disposition"]
        assert disposition.endswith(f"filename*=UTF-8''{urllib.parse.quote(name, safe='')}")
        assert announce(bench, name)["name"] == name


@pytest.mark.parametrize("name", ["", "  ", ".", "..", "a/", "tab\there", "x" * 300, "ü" * 130])
def test_names_that_name_no_file_are_refused(bench, name):
    send(bench, 400, **form(filename=f'filename="{name}"'))
    announce(bench, name, status=400)
    assert bench.listed("uploads/") == []


def test_media_types_are_taken_as_stated_or_guessed(bench):
    stated = [("text/plain", "text/plain"), ("", "text/csv"), ("nonsense", "text/csv"), ('text/x;a="b"', "text/x")]
    for sent, expected in stated:
        link = download(bench, send(bench, **form(media_type=sent))["id"]).headers["location"]
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
        assert query["response-content-type"] in ([expected], ["application/octet-stream"])


def test_bodies_that_are_no_form_are_refused(bench):
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
        assert send(bench, 400, **sent)["title"] == "Bad Request", sent
    for headers in ({"Content-Type": "text/csv"}, {"Content-Type": ""}):
        assert send(bench, 415, body=form()["body"], headers=headers)["title"] == "Unsupported Media Type"
    assert bench.listed("uploads/") == []


def test_what_is_wrong_with_a_form_is_a_sentence(bench):
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
        assert send(bench, 400, body=body, headers=headers)["detail"] == f"the form cannot be read: {sentence}", body
    assert bench.listed("uploads/") == []


def test_a_form_with_two_files_is_refused_before_one_of_them_is_lost(bench):
    end = f"--{BOUNDARY}--\r\n".encode()
    for part in ("file", "files", "other"):
        second = form(part=part)
        sent = {**second, "body": form()["body"].removesuffix(end) + second["body"]}
        assert send(bench, 400, **sent)["detail"] == "the form has 2 files; send a request for each"
    assert bench.listed("uploads/") == []


def test_a_field_beside_the_file_does_no_harm(bench):
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="comment"\r\n\r\nmine\r\n'.encode()
    sent = form()
    assert send(bench, **{**sent, "body": field + sent["body"]})["size"] == len(CONTENT)


def test_a_body_that_is_not_base64_is_refused(bench):
    event = gateway.event("POST", *PLACE, user=gateway.ADA, **form())
    event["body"] = "not base64!"
    assert gateway.answer(bench.invoke("upload_file", event)).status == 400


def test_what_lambda_would_not_take_is_refused_with_advice(bench):
    """The emulator has no such limit; on AWS the gateway's own answer says the same."""
    largest = bytes((6 << 20) * 3 // 4 - (80 << 10))
    assert send(bench, **form(largest))["size"] == len(largest)

    refused = send(bench, 413, **form(bytes((6 << 20) * 3 // 4)))

    assert refused["code"] == "REQUEST_TOO_LARGE"
    assert "announce" in refused["detail"]


def test_limits_of_the_installation(bench, monkeypatch):
    monkeypatch.setenv("UPLOAD_BYTES", str(len(CONTENT) - 1))
    assert send(bench, 413, **form())["code"] == "FILE_TOO_LARGE"
    assert announce(bench, status=413)["code"] == "FILE_TOO_LARGE"
    assert bench.listed("uploads/") == []


def test_an_announced_file_can_be_used_once_it_is_there_and_right(bench):
    handle = announce(bench)
    file, key = handle["id"], f"uploads/bench/{handle['id']}"
    assert handle["state"] == "PENDING"
    assert handle["upload"]["fields"]["key"] == key

    for wrong in [None, b"", CONTENT[:-1], CONTENT[:-1] + b"x"]:
        if wrong is not None:
            bench.put(key, wrong)
        assert start(bench, file, 409)["code"] == "UPLOAD_INCOMPLETE"
        assert download(bench, file, 409).json["code"] == "UPLOAD_INCOMPLETE"

    bench.put(key, CONTENT)
    assert start(bench, file)["state"] == "PENDING"
    assert download(bench, file).headers["location"]
    (listed,) = bench.call("list_uploads", "GET", *PLACE).json["files"]
    assert "state" not in listed


def test_an_empty_file_can_be_announced(bench):
    handle = announce(bench, size=0, sha256=hashlib.sha256(b"").hexdigest())
    bench.put(f"uploads/bench/{handle['id']}", b"")
    assert start(bench, handle["id"])["state"] == "PENDING"


def test_the_signed_form_takes_this_file_only(bench):
    """S3 enforces the policy (see tests/stack); here it says what it has to say."""
    handle = announce(bench)
    policy = json.loads(base64.b64decode(handle["upload"]["fields"]["policy"]))
    checksum = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert ["content-length-range", len(CONTENT), len(CONTENT)] in policy["conditions"]
    assert {"key": f"uploads/bench/{handle['id']}"} in policy["conditions"]
    assert {"x-amz-checksum-sha256": checksum} in policy["conditions"]


def test_files_of_other_groups_cannot_be_used(bench):
    bench.publish({"parameters": [FILE], "workflow": {"steps": [workbench.STEP]}}, "other")
    handle = send(bench, **form())
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": handle["id"]}}}]
    path = ("start_run", "POST", "/groups/{groupId}/runs", {"groupId": "other"}, 404)
    bench.call(*path, body={"arguments": arguments})


def test_only_members_upload(bench):
    assert send(bench, 403, user=gateway.BOB, **form())["code"] == "NO_ACCESS"
    assert send(bench, 401, user=None, **form())["code"] == "UNAUTHENTICATED"
    assert send(bench, user=gateway.ORGANISER, **form())["name"] == "data.csv"


@pytest.fixture
def later(monkeypatch):
    """Lets hours pass."""
    begun = clock.now()

    def wait(hours):
        monkeypatch.setattr(clock, "now", lambda: begun + timedelta(hours=hours))

    return wait


def delete(bench, file):
    path = {"groupId": "bench", "fileId": file}
    return bench.call("delete_upload", "DELETE", "/uploads/{groupId}/files/{fileId}", path)


@pytest.mark.parametrize("deletion", ["file", "group"])
def test_what_is_posted_for_a_deleted_file_is_removed_once_nothing_can_follow(bench, later, deletion):
    file = announce(bench)["id"]
    if deletion == "file":
        delete(bench, file)
    else:
        bench.call("delete_group", "DELETE", "/groups/{groupId}", {"groupId": "bench"})
    bench.put(f"uploads/bench/{file}", CONTENT)
    later(hours=23)
    assert "uploads" not in bench.invoke("reconcile_runs", {})
    later(hours=25)
    assert bench.invoke("reconcile_runs", {})["uploads"] == 1
    assert bench.listed("uploads/") == []
    assert "uploads" not in bench.invoke("reconcile_runs", {})


def test_a_deletion_that_was_interrupted_is_finished_by_the_reconciler(bench, later, monkeypatch):
    file = send(bench, **form())["id"]
    with monkeypatch.context() as during:
        during.setattr(bucket, "remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            delete(bench, file)
    assert bench.call("list_uploads", "GET", *PLACE).json["files"] == []
    assert start(bench, file, 409)["code"] == "FILE_DELETED"
    later(hours=25)
    assert bench.invoke("reconcile_runs", {})["uploads"] == 1
    assert bench.listed("uploads/") == []


def interrupted(*_):
    raise KeyboardInterrupt


def test_to_an_old_file_nobody_comes_back(bench, later):
    file = announce(bench)["id"]
    later(hours=25)
    delete(bench, file)
    assert table.get(table.withdrawn("bench", file)) is None


# A file and the runs that take it.


def delete_status(bench, file):
    path = {"groupId": "bench", "fileId": file}
    request = gateway.event("DELETE", "/uploads/{groupId}/files/{fileId}", path, user=gateway.ADA)
    answer = gateway.answer(bench.invoke("delete_upload", request))
    return answer.status, answer.status >= 400 and answer.json["code"]


def start_status(bench, file, other=None):
    arguments = [{"name": "data", "value": {"type": "$file", "value": {"fileId": file}}}]
    place = "/groups/{groupId}/runs", {"groupId": "bench"}
    answer = gateway.answer(
        bench.invoke("start_run", gateway.event("POST", *place, user=gateway.ADA, body={"arguments": arguments}))
    )
    return answer.status, answer.status >= 400 and answer.json["code"]


@pytest.mark.parametrize("used_before", [False, True])
def test_of_a_start_and_a_deletion_of_its_file_at_the_same_moment_one_is_refused(bench, interrupted, used_before):
    for deletion_first in (True, False):
        file = send(bench, **form(f"{deletion_first}".encode()))["id"]
        if used_before:
            run = start(bench, file)["id"]
            bench.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run})
        acts = [lambda: delete_status(bench, file), lambda: start_status(bench, file)]  # noqa: B023
        first, second = acts if deletion_first else reversed(acts)
        told = interrupted(second, rival=first)
        assert told == ((204, False), (409, "FILE_DELETED")) if deletion_first else ((201, False), (409, "FILE_IN_USE"))
        assert start_status(bench, file) == ((409, "FILE_DELETED") if deletion_first else (201, False))


def test_a_file_is_deleted_once_no_active_run_takes_it(bench):
    file = send(bench, **form())["id"]
    run = start(bench, file)["id"]
    assert delete_status(bench, file) == (409, "FILE_IN_USE")
    bench.call("cancel_run", "PUT", "/runs/{runId}", {"runId": run})
    assert delete_status(bench, file) == (204, False)
    assert delete_status(bench, file) == (404, "NOT_FOUND")


def test_a_deletion_waits_for_no_run_without_the_file(bench, interrupted):
    file, other = send(bench, **form())["id"], send(bench, **form(b"other"))["id"]
    started, deleted = interrupted(lambda: delete_status(bench, file), lambda: start_status(bench, other))
    assert (started, deleted) == ((201, False), (204, False))


def test_a_run_takes_as_many_files_as_a_transaction_holds(bench):
    many = {"name": "many", "dtype": "list", "para": {"name": "one", "dtype": "file"}}
    bench.publish({"parameters": [many], "workflow": {"steps": [workbench.STEP]}}, "list")
    place = "/uploads/{groupId}/files", {"groupId": "list"}
    value = []
    for number in range(90):
        file = bench.call("upload_file", "POST", *place, **form(b"%d" % number)).json["id"]
        value.append({"type": "$file", "value": {"fileId": file, "targetPath": f"data/{number}.csv"}})
    bench.start("list", arguments=[{"name": "many", "value": value}], headers={"Idempotency-Key": "k"})
    path = {"groupId": "list", "fileId": value[-1]["value"]["fileId"]}
    bench.call("delete_upload", "DELETE", "/uploads/{groupId}/files/{fileId}", path, 409)


# The same bytes are the same file.


def listed(bench):
    return [one["id"] for one in bench.call("list_uploads", "GET", *PLACE).json["files"]]


def test_the_same_bytes_are_the_same_file_however_they_come(bench):
    file = send(bench, **form())["id"]
    assert send(bench, **form())["id"] == file
    again = announce(bench)
    assert (again["id"], again.get("state"), again.get("upload")) == (file, None, None)
    assert announce(bench, sha256=DIGEST.upper())["id"] == file
    assert listed(bench) == [file]
    assert bench.listed("uploads/") == [f"uploads/bench/{file}"]
    assert send(bench, **form(CONTENT + b"x"))["id"] != file


def test_the_same_bytes_under_another_name_are_the_same_file_with_that_name(bench):
    file = send(bench, **form())["id"]
    renamed = send(bench, **form(filename='filename="labels.csv"'))
    assert (renamed["id"], renamed["name"]) == (file, "labels.csv")
    assert announce(bench, "again.csv")["name"] == "again.csv"
    (shown,) = bench.call("list_uploads", "GET", *PLACE).json["files"]
    assert (shown["id"], shown["name"]) == (file, "again.csv")


def test_a_job_that_uploads_and_starts_twice_with_one_key_has_one_run(bench):
    def job():
        file = send(bench, **form())["id"]
        value = {"type": "$file", "value": {"fileId": file}}
        return bench.start(arguments=[{"name": "data", "value": value}], headers={"Idempotency-Key": "job"})["id"]

    assert job() == job()


def test_an_announced_file_is_one_until_and_after_it_arrived(bench):
    first, again = announce(bench), announce(bench)
    assert first["id"] == again["id"]
    assert again["upload"]["fields"]["key"] == f"uploads/bench/{first['id']}"
    bench.put(f"uploads/bench/{first['id']}", CONTENT)
    arrived = announce(bench)
    assert (arrived["id"], arrived.get("state"), arrived.get("upload")) == (first["id"], None, None)


def test_bytes_that_were_announced_may_come_in_a_form(bench):
    file = announce(bench)["id"]
    handle = send(bench, **form())
    assert (handle["id"], handle.get("state")) == (file, None)
    assert start(bench, file)["state"] == "PENDING"


def test_an_announcement_that_can_never_come_true_takes_the_place_of_nothing(bench):
    wrong = announce(bench, size=SIZE + 1)["id"]
    assert send(bench, **form())["id"] != wrong


def test_files_of_different_groups_have_nothing_to_do_with_each_other(bench):
    bench.publish({"parameters": [FILE], "workflow": {"steps": [workbench.STEP]}}, "other")
    theirs = bench.call("upload_file", "POST", "/uploads/{groupId}/files", {"groupId": "other"}, **form()).json
    assert send(bench, **form())["id"] != theirs["id"]


@pytest.mark.parametrize("late", [form(), {"body": {"name": "data.csv", "size": SIZE, "sha256": DIGEST}}])
@pytest.mark.parametrize("early", [form(), {"body": {"name": "data.csv", "size": SIZE, "sha256": DIGEST}}])
def test_the_same_bytes_brought_twice_at_once_are_one_file(bench, interrupted, early, late):
    first, second = interrupted(lambda: send(bench, **late), lambda: send(bench, **early))
    assert first["id"] == second["id"]
    assert listed(bench) == [first["id"]]
    assert bench.listed("uploads/") in ([], [f"uploads/bench/{first['id']}"])


def test_a_deleted_file_that_is_brought_again_is_another(bench, later):
    file = send(bench, **form())["id"]
    delete(bench, file)
    again = send(bench, **form())["id"]
    assert again != file
    later(hours=25)
    bench.invoke("reconcile_runs", {})
    assert bench.listed("uploads/") == [f"uploads/bench/{again}"]
    assert start(bench, again)["state"] == "PENDING"


def test_a_file_that_is_deleted_while_it_is_brought_again_is_another_then(bench, interrupted, later):
    file = announce(bench)["id"]
    _, again = interrupted(lambda: send(bench, **form(filename='filename="x.csv"')), lambda: delete(bench, file))
    assert again["id"] != file
    assert listed(bench) == [again["id"]]
    assert bench.listed("uploads/") == [f"uploads/bench/{again['id']}"]


def test_a_file_that_is_deleted_while_its_bytes_are_written_leaves_none(bench, monkeypatch):
    write, gone = bucket.write_upload, []

    def late(key, *rest):
        if not gone:
            gone.append(key.rpartition("/")[2])
            with policies.asked(), requests_made.committed():
                delete(bench, gone[0])
        write(key, *rest)

    monkeypatch.setattr(bucket, "write_upload", late)
    file = send(bench, **form())["id"]
    assert file != gone[0]
    assert bench.listed("uploads/") == [f"uploads/bench/{file}"]


def test_a_deletion_looks_after_the_form_that_was_given_last(bench, later):
    file = announce(bench)["id"]
    later(hours=30)
    assert announce(bench)["upload"]
    delete(bench, file)
    bench.put(f"uploads/bench/{file}", CONTENT)
    later(hours=53)
    assert "uploads" not in bench.invoke("reconcile_runs", {})
    later(hours=55)
    assert bench.invoke("reconcile_runs", {})["uploads"] == 1
    assert bench.listed("uploads/") == []


# What is uploaded again is there again.


def lose(bench, file):
    bucket.remove([f"uploads/bench/{file}"])


def swap(bench, file):
    bench.put(f"uploads/bench/{file}", CONTENT[:-1] + b"x")


@pytest.mark.parametrize("harm", [lose, swap])
@pytest.mark.parametrize("first", [form, lambda: {"body": {"name": "data.csv", "size": SIZE, "sha256": DIGEST}}])
def test_bytes_that_are_sent_again_are_there_again(bench, harm, first):
    file = send(bench, **first())["id"]
    bench.put(f"uploads/bench/{file}", CONTENT)
    start(bench, file)
    harm(bench, file)
    again = send(bench, **form())
    assert (again["id"], again.get("state")) == (file, None)
    assert bench.get(f"uploads/bench/{file}") == CONTENT
    assert start(bench, file)["state"] == "PENDING"


@pytest.mark.parametrize("harm", [lose, swap])
def test_bytes_that_are_announced_again_get_a_form_unless_they_are_there(bench, harm, later):
    file = send(bench, **form())["id"]
    harm(bench, file)
    later(hours=30)
    again = announce(bench)
    assert (again["id"], again["state"]) == (file, "PENDING")
    assert again["upload"]["fields"]["key"] == f"uploads/bench/{file}"
    assert start(bench, file, 409)["code"] == "UPLOAD_INCOMPLETE"
    bench.put(f"uploads/bench/{file}", CONTENT)
    assert announce(bench).get("upload") is None
    assert start(bench, file)["state"] == "PENDING"


def test_bytes_that_are_sent_again_and_are_there_are_not_written_again(bench, monkeypatch):
    file = send(bench, **form())["id"]
    touched = []
    monkeypatch.setattr(bucket, "write_upload", lambda *_: touched.append("written"))
    monkeypatch.setattr(bucket, "_get", lambda *_: touched.append("read"))
    assert send(bench, **form())["id"] == file
    assert touched == []


def test_a_file_that_goes_while_it_is_looked_at_is_not_there(bench, monkeypatch):
    key = f"uploads/bench/{announce(bench)['id']}"
    bench.put(key, CONTENT)
    assert bucket.is_complete(key, SIZE, DIGEST)
    found = bucket.head(key)
    bucket.remove([key])
    monkeypatch.setattr(bucket, "head", lambda _: {name: found[name] for name in ("ContentLength", "ETag")})
    assert not bucket.is_complete(key, SIZE, DIGEST)
    assert bucket.tail(key, 5) is None

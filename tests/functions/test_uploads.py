"""Input files: small ones in a form, large ones announced and posted to S3; a run gets only what arrived whole."""

import base64
import hashlib
import json
import urllib.parse
from datetime import timedelta

import gateway
import pytest
import workbench

from flowserverless import api
from flowserverless.store import files, table
from flowserverless.store import runs as stored_runs

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
    version = stored_runs.get(run).version
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
    begun = api.now()

    def wait(hours):
        monkeypatch.setattr(api, "now", lambda: begun + timedelta(hours=hours))

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


def test_a_file_whose_deletion_was_interrupted_stays(bench, later, monkeypatch):
    file = send(bench, **form())["id"]
    with monkeypatch.context() as during:
        during.setattr(files, "remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            delete(bench, file)
    later(hours=25)
    assert bench.invoke("reconcile_runs", {})["uploads"] == 0
    assert bench.get(f"uploads/bench/{file}") == CONTENT
    delete(bench, file)
    assert bench.listed("uploads/") == []


def interrupted(*_):
    raise KeyboardInterrupt


def test_to_an_old_file_nobody_comes_back(bench, later):
    file = announce(bench)["id"]
    later(hours=25)
    delete(bench, file)
    assert table.get(table.withdrawn("bench", file)) is None

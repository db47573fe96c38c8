"""Inputs and outputs over a network that fails, refuses and answers strangely."""

import base64
import hashlib
import http.server
import json
import socket
import threading

import app
import pytest

from runner import manifest, monitor, step, transfer
from support import runner


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transfer, "PAUSES", (0.001, 0.002, 0.003))


def test_inputs_come_with_their_bytes_and_directories(store):
    content = bytes(range(256)) * 5000
    store.run("sha256sum < 'a b/ü/data.bin' > sum", inputs={"a b/ü/data.bin": content, "empty": b""})
    assert hashlib.sha256(content).hexdigest().encode() in store.outputs()["sum"]


def test_a_missing_input_is_an_error_of_the_system_that_names_it(store):
    manifest = store.manifest("echo ran > out", inputs={"data/a.csv": b"a"})
    del store.objects["in/data/a.csv"]
    result = runner.perform(manifest)
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert "input 'data/a.csv' could not be fetched: 404 NoSuchKey" in result["reason"]["detail"]
    assert result["exitCode"] is None
    assert store.outputs() == {}
    assert "secret" not in json.dumps(result)


@pytest.mark.parametrize(
    ("bytes_now", "code", "said"),
    [
        (b"mine", "INPUT_CHANGED", "it has the SHA-256 "),
        (b"longer than it was", "INPUT_CHANGED", "it has 18 bytes instead of 4"),
        (b"", "INPUT_CHANGED", "it has 0 bytes instead of 4"),
        (None, "FILE_DELETED", "was deleted meanwhile"),
    ],
)
def test_an_upload_is_what_was_uploaded_or_the_step_does_not_run(store, bytes_now, code, said):
    manifest = store.manifest("touch ran", inputs={"uploads/p/a.csv": b"fine", "other": b"x"})
    del store.objects["in/uploads/p/a.csv"]
    if bytes_now is not None:
        store.objects["in/uploads/p/a.csv"] = bytes_now
    result = runner.perform(manifest)
    assert result["reason"]["code"] == code
    assert result["reason"]["detail"].startswith("step 's': input 'uploads/p/a.csv' is ")
    assert said in result["reason"]["detail"]
    assert (result["exitCode"], store.outputs()) == (None, {})
    assert "step-" not in str(result), "no place of this machine is told"


def test_an_upload_that_is_still_the_same_is_an_input_like_any_other(store):
    assert store.run("cat uploads/a > out", inputs={"uploads/a": b"fine"})["reason"] is None
    assert store.outputs() == {"out": b"fine"}


@pytest.mark.parametrize("status", [403, 404])
def test_an_optional_input_may_be_missing(store, status):
    manifest = store.manifest("ls > there", inputs={"a": b"a", "b": b"b"})
    manifest["inputs"][0]["optional"] = True
    store.always_refused["in/a"] = (status, "NoSuchKey")
    result = runner.perform(manifest)
    assert result["reason"] is None
    assert store.outputs() == {"there": b"b\nthere\n"}


def test_an_optional_input_that_cannot_be_had_now_is_not_taken_for_missing(store):
    manifest = store.manifest("true", inputs={"a": b"a"})
    manifest["inputs"][0]["optional"] = True
    store.always_refused["in/a"] = (503, "SlowDown")
    result = runner.perform(manifest)
    assert result["reason"]["code"] == "SYSTEM_ERROR"


def test_an_input_of_another_size_is_refused(store):
    manifest = store.manifest("true", inputs={"a": b"1234"})
    store.objects["in/a"] = b"123"
    result = runner.perform(manifest)
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert "3 bytes instead of 4" in result["reason"]["detail"]


@pytest.mark.parametrize("path", ["../escaped", "/tmp/escaped", "a/../../escaped", "a\nb", ""])
def test_an_input_that_leaves_the_run_directory_is_refused(store, path):
    manifest = store.manifest("true")
    store.objects["x"] = b"x"
    manifest["inputs"] = [{"path": path, "url": f"{store.url}/x", "size": 1}]
    result = runner.perform(manifest)
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert "could not be stored" in result["reason"]["detail"]


def policy(*conditions):
    document = json.dumps({"expiration": "2030-01-01T00:00:00Z", "conditions": conditions})
    return base64.b64encode(document.encode()).decode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"policy": policy(["starts-with", "$Content-Type", ""])}, "application/json"),
        ({"policy": policy({"Content-Type": "x/y"}), "Content-Type": "x/y"}, "x/y"),
        ({"policy": policy(["content-length-range", 0, 9])}, None),
        ({}, "application/json"),
    ],
)
def test_a_content_type_is_only_named_where_the_policy_knows_of_it(store, fields, expected):
    form = manifest.Form(f"{store.url}/", {"X-Amz-Signature": "secret", **fields}, "")
    transfer.post_bytes(form, "runs/r/a.json", b"{}", "application/json")
    assert store.types.get("runs/r/a.json") == expected


def test_connections_that_died_while_the_step_ran_cost_one_attempt_only(store, monkeypatch):
    monkeypatch.setattr(transfer, "PAUSES", (0.001,))
    inputs = {str(number): b"x" for number in range(20)}
    fetch = step.fetch_inputs

    def fetch_and_lose_connections(*arguments):
        digests = fetch(*arguments)
        store.close_connections()
        return digests

    monkeypatch.setattr(step, "fetch_inputs", fetch_and_lose_connections)
    assert store.run("echo > out", inputs=inputs)["reason"] is None
    assert set(store.outputs()) == {"out"}


def test_a_store_that_is_busy_is_asked_again(store):
    store.refusals["in/a"] = [(503, "SlowDown"), (500, "InternalError")]
    store.refusals["runs/r/files/out"] = [(503, "SlowDown"), (500, "InternalError"), (400, "RequestTimeout")]
    result = store.run("cp a out", inputs={"a": b"content"})
    assert result["reason"] is None
    assert store.outputs() == {"out": b"content"}


def test_a_store_that_stays_busy_is_a_reason(store):
    store.always_refused["runs/r/files/out"] = (503, "SlowDown")
    result = store.run("echo > out")
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert "output 'out' could not be delivered: 503 SlowDown" in result["reason"]["detail"]
    assert result["exitCode"] == 0


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "AccessDenied", "SYSTEM_ERROR"),
        (400, "EntityTooLarge", "OUTPUT_TOO_LARGE"),
        (413, "ContentTooLarge", "OUTPUT_TOO_LARGE"),
    ],
)
def test_a_refused_output_is_a_reason_and_is_not_tried_again(store, status, code, reason):
    store.always_refused["runs/r/files/out"] = (status, code)
    result = store.run("echo > out; echo > other")
    assert result["reason"]["code"] == reason
    assert f"output 'out' could not be delivered: {status} {code}" in result["reason"]["detail"]
    assert "secret" not in json.dumps(result)


def test_a_step_that_failed_by_itself_keeps_its_reason_when_its_files_are_refused(store):
    store.always_refused["runs/r/files/out"] = (403, "AccessDenied")
    result = store.run("echo > out; exit 7")
    assert (result["exitCode"], result["reason"]["code"]) == (7, "STEP_FAILED")
    assert "403 AccessDenied" in result["messages"][-1]


def test_a_log_that_is_refused_does_not_fail_the_step(store, capsys):
    store.always_refused["runs/r/logs/000.txt"] = (403, "AccessDenied")
    assert store.run("echo hello")["reason"] is None
    assert "403 AccessDenied" in capsys.readouterr().err


def test_the_log_is_there_while_the_step_runs(store, monkeypatch):
    monkeypatch.setattr(monitor, "LOG_SECONDS", 0.02)
    url = store.stage("echo one; while [ ! -e ~/../go ]; do sleep 0.02; done; echo two")
    answer = {}
    thread = threading.Thread(target=lambda: answer.update(app.handler({"manifestUrl": url}, None)))
    thread.start()
    store.wait_for(lambda: store.objects.get("runs/r/logs/000.txt") == b"one\n")
    store.objects["runs/r/canceled"] = b""
    thread.join(10)
    assert answer["reason"]["code"] == "CANCELED"


def test_an_unchanged_log_is_not_sent_again(store, monkeypatch):
    monkeypatch.setattr(monitor, "LOG_SECONDS", 0.01)
    store.run("echo one; sleep 0.3")
    assert store.posts.count("runs/r/logs/000.txt") == 1


def test_nobody_at_the_other_end_is_a_reason(store):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/manifest?X-Amz-Signature=secret"
        result = app.handler({"manifestUrl": url}, None)
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert "no answer" in result["reason"]["detail"]


def test_a_manifest_that_is_no_json_is_a_reason(store):
    store.objects["manifest"] = b"<html>"
    result = app.handler({"manifestUrl": f"{store.url}/manifest"}, None)
    assert "not JSON" in result["reason"]["detail"]


class _Strange(http.server.BaseHTTPRequestHandler):
    """Hangs up in the middle of the first answer, redirects the second request, is fine afterwards."""

    protocol_version = "HTTP/1.1"
    requests = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        type(self).requests += 1
        if self.requests == 1:
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        elif self.requests == 2:
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"whole")


def test_half_an_answer_is_asked_for_again_and_redirections_are_followed(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Strange) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/x"
        transfer.download(url, str(tmp_path / "file"), 5)
        transfer.hang_up()
        server.shutdown()
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert _Strange.requests == 3


def test_uploads_do_not_follow_a_link_at_the_last_moment(store, tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    form = manifest.Form(f"{store.url}/", {"X-Amz-Signature": "secret"}, "runs/r/files/")
    with pytest.raises(OSError, match="symbolic links"):
        transfer.post_file(form, "runs/r/files/a", str(tmp_path / "link"))
    assert store.outputs() == {}

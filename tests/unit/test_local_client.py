"""The HTTP client and the terminal output that the demonstration is made of."""

import email.parser
import email.policy
import http.server
import io
import json
import threading
import urllib.parse

import pytest

from local import client, terminal


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers by the path, and keeps what it was asked."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        status, headers, content = self.server.answers[urllib.parse.urlsplit(self.path).path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as running:
        running.seen, running.answers = [], {}
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


class TestService:
    def test_json_goes_out_and_comes_in_with_the_token(self, server):
        server.answers["/v1/users/login"] = (200, {}, b'{"token": "t0"}')
        service = client.Service(f"{server.url}/v1/").as_user("t1")
        assert service.post("users/login", {"username": "ä"}) == {"token": "t0"}
        ((method, _, headers, body),) = server.seen
        assert (method, headers["Authorization"], headers["Content-Type"]) == (
            "POST",
            "Bearer t1",
            "application/json",
        )
        assert json.loads(body) == {"username": "ä"}

    def test_a_stranger_sends_no_token_and_an_empty_answer_is_none(self, server):
        server.answers["/users/whoami"] = (204, {}, b"")
        assert client.Service(server.url).get("users/whoami") is None
        assert "Authorization" not in server.seen[0][2]

    def test_an_upload_is_a_form_with_the_file_as_it_is(self, server, tmp_path):
        server.answers["/uploads/g/files"] = (201, {}, b'{"id": "f"}')
        file = tmp_path / "a b.csv"
        file.write_bytes(bytes(range(256)))
        assert client.Service(server.url).upload("uploads/g/files", file) == {"id": "f"}
        _, _, headers, body = server.seen[0]
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        (part,) = form.iter_parts()
        assert part.get_param("name", header="content-disposition") == "file"
        assert part.get_filename() == "a b.csv"
        # The parser may change line ends of a part that says nothing of its type, so the bytes are looked up.
        assert bytes(range(256)) in body

    def test_a_download_follows_the_redirect_and_leaves_the_token_behind(self, server, tmp_path):
        server.answers["/runs/r/downloads/archive"] = (
            302,
            {"Location": f"{server.url}/bucket/key?sign=1"},
            b"",
        )
        server.answers["/bucket/key"] = (200, {}, b"content")
        target = client.Service(server.url, "t1").download("runs/r/downloads/archive", tmp_path / "file")
        assert target.read_bytes() == b"content"
        assert [path for _, path, _, _ in server.seen] == ["/runs/r/downloads/archive", "/bucket/key?sign=1"]
        assert ["Authorization" in headers for _, _, headers, _ in server.seen] == [True, False]

    @pytest.mark.parametrize(
        ("status", "body", "message"),
        [
            (404, b'{"detail": "unknown run \'r\'"}', "GET runs/r: 404 Not Found: unknown run 'r'"),
            (502, b"<html>\xff", "GET runs/r: 502 Bad Gateway: <html>\ufffd"),
            (500, b'["?"]', 'GET runs/r: 500 Internal Server Error: ["?"]'),
        ],
    )
    def test_an_error_says_what_the_service_said(self, server, status, body, message):
        server.answers["/runs/r"] = (status, {}, body)
        with pytest.raises(client.Refused) as caught:
            client.Service(server.url).get("runs/r")
        assert str(caught.value) == message

    def test_no_answer_is_said_so(self, server):
        url = server.url
        server.shutdown()
        server.server_close()
        with pytest.raises(client.Refused, match=f"GET : no answer from {url}"):
            client.Service(url).get("")


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def test_a_log_gets_each_line_that_changed_once(self):
        stream = io.StringIO()
        progress = terminal.Progress(stream)
        for lines in (["a PENDING", "b PENDING"], ["a PENDING", "b RUNNING"], ["a PENDING", "b RUNNING"]):
            progress.show(lines)
        assert [line.split(" s ")[1] for line in stream.getvalue().splitlines()] == [
            "a PENDING",
            "b PENDING",
            "b RUNNING",
        ]
        assert "\x1b" not in stream.getvalue()

    def test_a_terminal_shows_them_in_place(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "11")
        monkeypatch.setenv("LINES", "20")
        stream = Terminal()
        progress = terminal.Progress(stream)
        progress.show(["a 1", "b 1"])
        progress.show(["a 2", "longer than the line"])
        progress.show(["a 2", "longer than the line"])
        assert stream.getvalue() == "\x1b[2Ka 1\n\x1b[2Kb 1\n\x1b[2A\x1b[2Ka 2\n\x1b[2Klonger tha\n"


class TestTable:
    def test_columns_are_as_wide_as_they_need_and_numbers_stand_right(self):
        rows = [[1, "ä", 0.5, None], [10, "longer", 1.0, "x"]]
        assert terminal.table(["Rank", "Group", "Score", "Method"], rows).splitlines() == [
            "Rank  Group    Score  Method",
            "----  ------  ------  ------",
            "   1  ä       0.5000  -",
            "  10  longer  1.0000  x",
        ]

    def test_no_rows_leave_the_header(self):
        assert terminal.table(["Rank", "Group"], []) == "Rank  Group\n----  -----"

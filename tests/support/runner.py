"""A stage for steps: a little HTTP server that plays the presigned URLs of S3, and ways to execute a step with it."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import hashlib
import http.server
import json
import os
import pathlib
import resource
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, Self

import app
import pytest

from local import reach
from runner import manifest, privileges, procfs, sandbox, step

# As on the local stack: with these, steps of root find an interpreter that they reach.
os.environ.update(reach.variables(pathlib.Path(sys.executable)))
PYTHON = os.environ.get("STEP_PYTHON", sys.executable)
CAP_SYS_ADMIN = 21
FOLDER = pathlib.Path(__file__).parents[2] / "functions" / "run_step"
# Where the function of a staged step hands on what it returned.
RETURNED = "runs/r/returned/000.json"
LIMITS = {
    "seconds": 20,
    "memoryBytes": 512 << 20,
    "outputBytes": 50 << 20,
    "fileBytes": 20 << 20,
    "logBytes": 100_000,
    "processes": 100,
    "openFiles": 256,
    "cpuSeconds": 20,
}


class Store(http.server.ThreadingHTTPServer):
    """Objects by key; GET answers them, a POST form adds one.

    `refusals` holds, by key, the answers (status, S3 code) that requests for it get before they succeed; one that
    is to be given for ever is put in `always_refused`. `posts` and `gets` are the keys in the order of requests.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.posts: list[str] = []
        self.gets: list[str] = []
        self.refusals: dict[str, list[tuple[int, str]]] = {}
        self.always_refused: dict[str, tuple[int, str]] = {}
        self.changed = threading.Condition()
        self.connections: list[socket.socket] = []
        self.secret = f"hidden-from-steps-{secrets.token_hex(8)}"
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the play."""

    def get_request(self) -> tuple[socket.socket, Any]:
        """Remember every connection."""
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def close_connections(self) -> None:
        """Hang up on everybody, as S3 does when nothing was said for a while."""
        while self.connections:
            with contextlib.suppress(OSError):
                self.connections.pop().shutdown(socket.SHUT_RDWR)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        """Wait until a condition on the objects holds."""
        with self.changed:
            assert self.changed.wait_for(condition, seconds)

    def outputs(self) -> dict[str, bytes]:
        """What was delivered, by its path in the run."""
        prefix = "runs/r/files/"
        return {key.removeprefix(prefix): value for key, value in self.objects.items() if key.startswith(prefix)}

    @property
    def tree(self) -> dict[str, Any]:
        """What the step did to the run directory, as it was told last."""
        return json.loads(self.objects["runs/r/trees/000.json"])

    @property
    def log(self) -> str:
        """The log that was uploaded last."""
        return self.objects["runs/r/logs/000.txt"].decode()

    def manifest(
        self,
        *commands: str,
        inputs: dict[str, bytes] | None = None,
        limits: dict[str, float] | None = None,
        **members: Any,
    ) -> dict[str, Any]:
        """The manifest of a step, with its inputs put into the store; those below `uploads/` have a known digest."""
        for path, content in (inputs or {}).items():
            self.objects[f"in/{path}"] = content
        return {
            "run": "r",
            "step": 0,
            "name": "s",
            "kind": "container",
            "commands": list(commands),
            "variables": {},
            "code": None,
            "notebook": None,
            "inputs": [
                {
                    "path": path,
                    "url": f"{self.url}/in/{urllib.parse.quote(path)}?X-Amz-Signature=secret",
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest() if path.startswith("uploads/") else None,
                }
                for path, content in (inputs or {}).items()
            ],
            "outputs": None,
            "always": [],
            "upload": {**self.form(""), "prefix": "runs/r/files/"},
            "log": self.form("runs/r/logs/000.txt"),
            "tree": self.form("runs/r/trees/000.json"),
            "cancelUrl": f"{self.url}/runs/r/canceled?X-Amz-Signature=secret",
            "limits": LIMITS | (limits or {}),
            **members,
        }

    def form(self, key: str) -> dict[str, Any]:
        """A presigned POST for one key."""
        return {"url": f"{self.url}/", "fields": {"X-Amz-Signature": "secret"}, "key": key}

    def earlier(self, **returned: Any) -> list[dict[str, str]]:
        """What a manifest says of the results of earlier functions, which are put into the store."""
        for name, value in returned.items():
            self.objects[f"earlier/{name}"] = json.dumps({name: value}).encode()
        return [{"name": name, "url": f"{self.url}/earlier/{name}?X-Amz-Signature=secret"} for name in returned]

    @contextlib.contextmanager
    def room(self) -> Iterator[str]:
        """A directory that the containers of a job share; the user's image may run as anybody."""
        with tempfile.TemporaryDirectory() as room:
            # As Fargate makes an empty volume: root's, and closed to others.
            os.chmod(room, 0o755)
            yield room

    def stage(self, *commands: str, **members: Any) -> str:
        """Put a manifest into the store; its URL."""
        self.objects["manifest"] = json.dumps(self.manifest(*commands, **members)).encode()
        return f"{self.url}/manifest?X-Amz-Signature=secret"

    def run(self, *commands: str, **members: Any) -> dict[str, Any]:
        """Stage a step and execute it as the function does."""
        result = app.handler({"manifestUrl": self.stage(*commands, **members), "run": "r", "step": 0}, None)
        return json.loads(json.dumps(result))

    def run_as_in_lambda(self, *commands: str, tmp: str = "/tmp", layers: str = "", **members: Any) -> dict[str, Any]:
        """Execute a step in a process of its own, whose user is not root, and is the step's user too."""
        user = 2**29 + os.getpid()
        as_user = (lambda: privileges.become(user)) if os.geteuid() == 0 else None
        return self._run_apart(self.stage(*commands, **members), as_user, tmp, layers)

    def run_as_in_a_container(self, *commands: str, tmp: str = "/tmp", **members: Any) -> dict[str, Any]:
        """Execute a step in a process of root that the kernel grants no namespaces, as most containers do."""

        def give_up() -> None:
            ctypes.CDLL(None).prctl(privileges.PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0)

        return self._run_apart(self.stage(*commands, **members), give_up, tmp)

    def _run_apart(
        self, url: str, before: Callable[[], None] | None, tmp: str = "/tmp", layers: str = ""
    ) -> dict[str, Any]:
        program = "import json, sys, app; print(json.dumps(app.handler({'manifestUrl': sys.argv[1]}, None)))"
        finished = subprocess.run(
            [PYTHON, "-c", program, url],
            env={
                "PYTHONPATH": os.pathsep.join(filter(None, (readable(str(FOLDER)), layers))),
                "AWS_SESSION_TOKEN": self.secret,
                "TMPDIR": tmp,
                **told(),
            },
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
            cwd="/",
            preexec_fn=before,
        )
        return json.loads(finished.stdout)


def perform(document: dict[str, Any]) -> dict[str, Any]:
    """Execute the step that a manifest describes."""
    return step.perform(manifest.parse(document)).document()


def told() -> dict[str, str]:
    """What a function of its own process has to be told as we are."""
    names = ("LD_LIBRARY_PATH", "STEP_PYTHON", "STEP_CLOSED")
    return {name: os.environ[name] for name in names if name in os.environ}


@functools.cache
def readable(folder: str) -> str:
    """A folder for users who have no way to the project; a copy if we are root."""
    if os.geteuid() != 0:
        return folder
    place = tempfile.mkdtemp(prefix="readable-")
    atexit.register(shutil.rmtree, place)
    copy = os.path.join(place, os.path.basename(folder))
    shutil.copytree(folder, copy)
    for path in (place, copy):
        os.chmod(path, 0o755)
    return copy


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        key = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")
        self.server.gets.append(key)
        if self._is_refused(key):
            return
        content = self.server.objects.get(key)
        if content is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>")
        else:
            self._answer(200, content)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        assert body.endswith(b"\r\n--" + boundary + b"--\r\n"), "the length of the body is wrong"
        fields: dict[str, bytes] = {}
        for part in body[: -len(boundary) - 8].split(b"--" + boundary + b"\r\n")[1:]:
            head, _, value = part.partition(b"\r\n\r\n")
            name = head.partition(b'name="')[2].partition(b'"')[0].decode()
            assert "file" not in fields, "S3 ignores what comes behind the file"
            fields[name] = value.removesuffix(b"\r\n") if name != "file" else value
        key = fields["key"].decode()
        if self._is_refused(key):
            return
        if fields.get("X-Amz-Signature") != b"secret" or not key.startswith("runs/r/"):
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        with self.server.changed:
            self.server.objects[key] = fields["file"]
            if "Content-Type" in fields:
                self.server.types[key] = fields["Content-Type"].decode()
            self.server.posts.append(key)
            self.server.changed.notify_all()
        self._answer(204, b"")

    def _is_refused(self, key: str) -> bool:
        queue = self.server.refusals.get(key)
        refusal = queue.pop(0) if queue else self.server.always_refused.get(key)
        if refusal:
            status, code = refusal
            self._answer(status, f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode())
        return refusal is not None

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def replace_supervisor(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path, source: str) -> None:
    """Have another program in the place of the supervisor, which is put into a folder."""
    (folder / "runner").mkdir()
    (folder / "runner" / "supervisor.py").write_text(source)
    monkeypatch.setattr(sandbox, "FOLDER", str(folder))


@contextlib.contextmanager
def at_most(processes_more: int) -> Iterator[None]:
    """Bound by the kernel what a bomb can do even if the sandbox should not: nobody below may add more processes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    # Root itself is not bound by it, and its steps are users that have no processes yet.
    have = 0 if os.geteuid() == 0 else procfs.threads_of(os.getuid())
    resource.setrlimit(resource.RLIMIT_NPROC, (have + processes_more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))


@contextlib.contextmanager
def most_processes() -> Iterator[Callable[[], int]]:
    """Meanwhile count the processes below this one; the function given tells the largest number seen."""
    done, most = threading.Event(), 0

    def count() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, len(procfs.living(procfs.descendants(os.getpid()))))

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        yield lambda: most
    finally:
        done.set()
        thread.join()


def alive_with(marker: str) -> list[int]:
    """Processes that have a marker in their environment; any thread tells, the first may have ended."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(marker.encode() in _environment(task) for task in process.glob("task/*")):
                found.append(int(process.name))
    return found


def _environment(task: pathlib.Path) -> bytes:
    with contextlib.suppress(OSError):
        return (task / "environ").read_bytes()
    return b""


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait for a condition; whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True

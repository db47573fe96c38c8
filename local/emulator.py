"""One MiniStack process: AWS on 127.0.0.1, with the IAM policies of the deployed template enforced.

MiniStack has a virtual environment of its own (`.local/emulator`), because it runs the functions with *its*
interpreter and *its* site-packages: whatever is installed there hides that it is missing from our layers.

Credentials. With `AUTH=true` every request is checked. The access key `test` is the account's root user, who
may do everything: that is who deploys the stack and who looks into it from tests. A function gets temporary
keys of its own execution role, and Step Functions and EventBridge act with the role or the resource policy
that the template gives them; so a permission missing from the template is an AccessDenied here too.

The process holds a lock on `emulator.lock` for as long as it lives. Whether it runs is asked of that lock and
not of its process id, which after a crash may belong to a stranger.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore.session

from local import reach

PROJECT = reach.PROJECT
STATE = PROJECT / ".local"
PYTHON = STATE / "emulator" / "bin" / "python"

REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
}

START_SECONDS = 60.0
STOP_SECONDS = 30.0
FUNCTIONS_SECONDS = 5.0

PR_SET_PDEATHSIG = 1

_children: dict[pathlib.Path, subprocess.Popen[bytes]] = {}
"""The emulators that this process started, by home: a parent has to take note of its children's end."""

# Kept, because Python warns of a child that nobody holds on to; an emulator may outlive the program that started it.
_STARTED: list[subprocess.Popen[bytes]] = []


class EmulatorError(Exception):
    """The emulator did not start or did not stop; the message says where its log is."""


@dataclasses.dataclass(frozen=True)
class Emulator:
    """A running MiniStack: `home` holds its state and its log, `pid` is also its process group.

    `keep`: it saves its state when it is stopped.
    """

    home: pathlib.Path
    port: int
    pid: int
    keep: bool

    @property
    def url(self) -> str:
        """The endpoint of every AWS service it emulates."""
        return f"http://127.0.0.1:{self.port}"


def client(service: str, endpoint_url: str | None) -> Any:
    """An AWS client: of the emulator at that URL, with all rights, or (None) of the caller's AWS account."""
    session = botocore.session.get_session()
    if endpoint_url is None:
        return session.create_client(service)
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def runtime() -> str:
    """The Lambda runtime that stands for the interpreter which the emulator runs functions with."""
    if not PYTHON.exists():
        raise EmulatorError("the emulator is not installed; `make setup` does that")
    version = "import sys; print('python%d.%d' % sys.version_info[:2])"
    return subprocess.check_output([PYTHON, "-c", version], text=True).strip()


def start(home: pathlib.Path, keep: bool = True, with_caller: bool = False) -> Emulator:
    """Start MiniStack on a free port, if possible the one it had before, and wait until it is ready.

    `keep`: load what an earlier process saved, and save again when stopped. `with_caller`: it ends when the
    calling process ends, however that happens (on Linux). Raises EmulatorError when one runs here already, or
    when it does not start.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home) as lock:
        if lock is None:
            raise EmulatorError(f"an emulator is running already in {home}")
        port = _port(home)
        # Who looks now finds nobody to stop, and not the process that had this number before.
        _write(home, {"port": port, "pid": None, "keep": keep})
        for folder in ("state", "s3"):
            (home / folder).mkdir(exist_ok=True)
        _close(home)
        environment = _environment(home, port, keep)
        with (home / "emulator.log").open("wb") as log:
            process = subprocess.Popen(
                [PYTHON, "-m", "ministack"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock],
                preexec_fn=_ending_with(os.getpid()) if with_caller else None,
            )
        _STARTED.append(process)
        _children[home] = process
        emulator = Emulator(home, port, process.pid, keep)
        _write(home, {"port": port, "pid": process.pid, "keep": keep})
    try:
        _wait_until_ready(emulator, process)
    except BaseException:
        stop(home)
        raise
    return emulator


def running(home: pathlib.Path) -> Emulator | None:
    """The emulator that runs in this home, if one does and is not only just being started."""
    if not _record(home).exists():
        return None
    with _lock(home) as lock:
        if lock is not None:
            if child := _children.pop(home, None):
                child.wait()
            return None
        known = json.loads(_record(home).read_text())
        return Emulator(home, known["port"], known["pid"], known["keep"]) if known["pid"] else None


def stop(home: pathlib.Path) -> bool:
    """End the emulator of this home and wait until it has saved what it keeps; False when none was running.

    Functions that are still busy are ended with it. Raises EmulatorError when it had to be killed before it
    had saved.
    """
    emulator = running(home)
    if emulator is None:
        return False
    saved = not emulator.keep or _saves_and_ends(emulator)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(emulator.pid, signal.SIGKILL)
    _wait_until(lambda: running(home) is None, STOP_SECONDS)
    reach.remove_temporary(home)
    if not saved:
        log = home / "emulator.log"
        raise EmulatorError(f"the emulator did not stop in {STOP_SECONDS:.0f} s and was killed; see {log}")
    return True


def _saves_and_ends(emulator: Emulator) -> bool:
    """Whether it does both in STOP_SECONDS.

    It waits for functions that are busy, for up to 15 minutes: before it saves for those a caller waits for,
    and after that for those an execution waits for. So the signal is repeated for its functions too; MiniStack
    ignores a second one until it has saved, and ends of it then.
    """
    deadline = time.monotonic() + STOP_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.kill(emulator.pid, signal.SIGTERM)
        ended = _wait_until(lambda: running(emulator.home) is None, FUNCTIONS_SECONDS)
        while not ended and time.monotonic() < deadline:
            os.killpg(emulator.pid, signal.SIGTERM)
            ended = _wait_until(lambda: running(emulator.home) is None, 1)
        return ended
    return True


def _close(home: pathlib.Path) -> None:
    """Let nobody else see what a stack holds: buckets, tables, logs, and where it is."""
    for folder in (home, STATE):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)


def _record(home: pathlib.Path) -> pathlib.Path:
    return home / "emulator.json"


def _write(home: pathlib.Path, known: Mapping[str, Any]) -> None:
    # At once, because others read it without a lock.
    new = home / "emulator.json.new"
    new.write_text(json.dumps(known))
    new.replace(_record(home))


@contextlib.contextmanager
def _lock(home: pathlib.Path) -> Iterator[int | None]:
    """The lock of this home as a file descriptor, or None while a live process holds it."""
    descriptor = os.open(home / "emulator.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def _port(home: pathlib.Path) -> int:
    """A free port; the one used before if possible, because URLs handed out then stay right."""
    before = json.loads(_record(home).read_text())["port"] if _record(home).exists() else 0
    for wanted in (before, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return int(probe.getsockname()[1])
    raise EmulatorError("no free port on 127.0.0.1")


def _environment(home: pathlib.Path, port: int, keep: bool) -> dict[str, str]:
    """All that MiniStack, and so a function, sees: nothing of the caller's environment or AWS accounts."""
    persist = "1" if keep else "0"
    return {
        "PATH": os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(reach.temporary(home)),
        "STATE_DIR": str(home / "state"),
        "S3_DATA_DIR": str(home / "s3"),
        "PERSIST_STATE": persist,
        "S3_PERSIST": persist,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Every concurrent invocation is a process of 50 MB and more, which stays for so long.
        "LAMBDA_WARM_TTL_SECONDS": "60",
        "PYTHONDONTWRITEBYTECODE": "1",
        **reach.variables(PYTHON, home),
    }


def _ending_with(parent: int) -> Callable[[], None] | None:
    """What a child does before it becomes the emulator, so that the kernel ends it when its parent dies."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return prepare


def _wait_until_ready(emulator: Emulator, process: subprocess.Popen[bytes]) -> None:
    log = emulator.home / "emulator.log"

    def ready() -> bool:
        if process.poll() is not None:
            raise EmulatorError(f"the emulator ended at once; see {log}")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{emulator.url}/_ministack/ready", timeout=2).close()  # noqa: S310
            return True
        return False

    if not _wait_until(ready, START_SECONDS):
        raise EmulatorError(f"the emulator was not ready in {START_SECONDS:.0f} s; see {log}")


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True

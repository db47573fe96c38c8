"""Starting and ending the emulator, whatever was left behind by the time before."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import botocore.exceptions
import pytest

from local import emulator, reach
from support import functions


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    emulator.stop(tmp_path)


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)


def wait_until_ended(home):
    wait_until(lambda: emulator.running(home) is None, 10)


SLEEPING = """
    import pathlib, time

    def handler(began, context):
        pathlib.Path(began).touch()
        time.sleep(600)
"""


def execution_of(running, role, function, began):
    """The ARN of an execution that waits for the function, as a run waits for its step."""
    task = {"Type": "Task", "Resource": function, "InputPath": "$.began", "TimeoutSeconds": 900, "End": True}
    states = emulator.client("stepfunctions", running.url)
    machine = states.create_state_machine(
        name="waiting",
        definition=json.dumps({"StartAt": "Sleep", "States": {"Sleep": task}}),
        roleArn=role,
    )
    return states.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps({"began": str(began)}))[
        "executionArn"
    ]


def invoke(running, function, began):
    with contextlib.suppress(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        emulator.client("lambda", running.url).invoke(FunctionName=function, Payload=json.dumps(str(began)))


def test_what_it_holds_survives_a_stop(home):
    first = emulator.start(home)
    s3 = emulator.client("s3", first.url)
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="key", Body=b"body")
    assert emulator.stop(home)
    second = emulator.start(home)
    assert second.url == first.url
    assert emulator.client("s3", second.url).get_object(Bucket="kept", Key="key")["Body"].read() == b"body"


def test_what_it_holds_is_closed_to_everybody_else(home):
    home.chmod(0o755)
    emulator.start(home, keep=False)
    for folder in (home, emulator.STATE):
        assert folder.stat().st_mode & 0o077 == 0


def test_temporary_files_are_where_steps_reach_them_and_go_with_it(home):
    running = emulator.start(home, keep=False)
    environment = dict(
        line.split("=", 1) for line in pathlib.Path(f"/proc/{running.pid}/environ").read_text().split("\0") if line
    )
    temporary = pathlib.Path(environment["TMPDIR"])
    assert temporary.is_dir()
    if reach.is_needed():
        assert all(place.stat().st_mode & 0o001 for place in (temporary, *temporary.parents))
        assert environment["STEP_CLOSED"].split(os.pathsep) == [str(emulator.PROJECT), str(home)]
    else:
        assert "STEP_PYTHON" not in environment
    assert emulator.stop(home)
    assert temporary.exists() == (not reach.is_needed())


@pytest.mark.parametrize("keep", [True, False])
def test_it_stops_though_functions_are_busy(home, keep, monkeypatch):
    """A step may take 15 minutes; the thread that waits for it would hold the emulator up for as long."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    first = emulator.start(home, keep)
    emulator.client("s3", first.url).create_bucket(Bucket="kept")
    role = functions.role(first)
    function = functions.create(first, role, SLEEPING, 900)
    execution = execution_of(first, role, function, home / "executed")
    caller = threading.Thread(target=invoke, args=(first, function, home / "invoked"))
    caller.start()
    wait_until(lambda: (home / "executed").exists() and (home / "invoked").exists(), 60)
    assert emulator.stop(home)
    caller.join()
    if keep:
        second = emulator.start(home)
        assert emulator.client("s3", second.url).head_bucket(Bucket="kept")
        assert emulator.client("stepfunctions", second.url).describe_execution(executionArn=execution)


def test_it_runs_once_and_stops_once(home):
    running = emulator.start(home, keep=False)
    assert emulator.running(home) == running
    with pytest.raises(emulator.EmulatorError, match="running already"):
        emulator.start(home)
    assert emulator.stop(home)
    assert emulator.running(home) is None
    assert not emulator.stop(home)


def test_it_starts_again_after_it_was_killed(home):
    os.kill(emulator.start(home).pid, signal.SIGKILL)
    wait_until_ended(home)
    assert emulator.start(home).url


def test_a_process_that_has_taken_over_its_id_is_left_alone(home):
    """After a crash and a restart of the machine, the recorded id may be anybody's."""
    record = {"port": 1, "pid": os.getpid()}
    (home / "emulator.json").write_text(json.dumps(record))
    assert emulator.running(home) is None
    assert not emulator.stop(home)


def test_one_that_is_being_started_is_nobody_to_stop_yet(home):
    with (home / "emulator.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (home / "emulator.json").write_text(json.dumps({"port": 1, "pid": None, "keep": True}))
        assert emulator.running(home) is None
        assert not emulator.stop(home)


def test_another_port_is_taken_when_the_old_one_is_not_free(home, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    other = emulator.start(elsewhere, keep=False)
    try:
        (home / "emulator.json").write_text(json.dumps({"port": other.port, "pid": 1}))
        assert emulator.start(home, keep=False).port != other.port
    finally:
        emulator.stop(elsewhere)


def test_it_ends_with_its_caller_even_if_that_is_killed(home):
    program = f"""
        import pathlib, time
        from local import emulator
        print(emulator.start(pathlib.Path({str(home)!r}), keep=False, with_caller=True).url, flush=True)
        time.sleep(60)
    """
    caller = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, cwd=emulator.PROJECT
    )
    with caller:
        assert caller.stdout.readline().startswith(b"http://127.0.0.1:")
        assert emulator.running(home) is not None
        caller.kill()
    wait_until_ended(home)

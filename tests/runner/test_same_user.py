"""What a step cannot do although it has the user of the function, as it has in Lambda."""

import shlex

import pytest

from runner import cleanup, sandbox
from support import runner

pytestmark = pytest.mark.usefixtures("bounded")


def python(script):
    return f"$python -c {shlex.quote(script)}"


def test_the_step_really_has_the_user_of_the_function(store):
    result = store.run_as_in_lambda(
        "function=$(awk '{print $4}' /proc/$PPID/stat); grep -h Uid: /proc/self/status /proc/$function/status > ids"
    )
    assert result["reason"] is None
    step, function = store.outputs()["ids"].splitlines()
    assert step == function


def test_the_credentials_of_the_function_are_not_found(store):
    store.run_as_in_lambda(
        "cat /proc/[0-9]*/environ 2> err | tr '\\0' '\\n' > found; true",
        "function=$(awk '{print $4}' /proc/$PPID/stat); cat /proc/$function/cmdline > function",
        "for p in $PPID $function; do for f in mem environ fd/0 fd/1 fd/3 maps; do"
        "  head -c 1 /proc/$p/$f && echo $p/$f >> opened; done; done; touch tried",
    )
    assert b"app.handler" in store.outputs()["function"], "it is the function that was looked at"
    assert store.secret.encode() not in store.outputs()["found"]
    assert "opened" not in store.outputs()
    assert "tried" in store.outputs()


RUN_AWAY = """
import os
if os.fork() == 0:
    for _ in range(100000):
        try:
            if os.fork():
                os._exit(0)
            os.setsid()
        except OSError:
            pass
"""

LEADERLESS = """
import ctypes, platform, threading, time
libc = ctypes.CDLL(None)
threading.Thread(target=time.sleep, args=(300,)).start()
libc.syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)
"""


@pytest.mark.parametrize("script", [RUN_AWAY, LEADERLESS], ids=["running-away", "without-first-thread"])
def test_a_process_that_the_process_table_hardly_shows_is_ended(store, marker, script):
    begin = f"({python(script)}) & sleep 0.4"
    result = store.run_as_in_lambda(begin, variables={"m": marker}, limits={"processes": 50})
    assert result["reason"] is None
    assert runner.alive_with(marker) == []


def test_memory_held_by_a_process_without_its_first_thread_counts(store, marker):
    hog = LEADERLESS.replace("target=time.sleep, args=(300,)", "target=hold").replace(
        "libc =", "def hold():\n    time.sleep(0.5)\n    held = bytearray(200 << 20)\n    time.sleep(300)\nlibc ="
    )
    result = store.run_as_in_lambda(
        f"({python(hog)}) & sleep 20", variables={"m": marker}, limits={"memoryBytes": 100 << 20}
    )
    assert result["reason"]["code"] == "OUT_OF_MEMORY"
    assert runner.alive_with(marker) == []


def test_a_fork_bomb_is_bounded(store, marker):
    with runner.most_processes() as most:
        result = store.run_as_in_lambda(
            "b() { if [ $1 -gt 0 ]; then b $(($1 - 1)) | b $(($1 - 1)) & wait; else sleep 60; fi; }; b 6; sleep 60",
            limits={"processes": 60, "seconds": 1},
            variables={"m": marker},
        )
    assert result["reason"]["code"] in ("TIMEOUT", "STEP_FAILED")
    assert most() <= 200
    assert runner.alive_with(marker) == []


def test_a_step_that_kills_its_supervisor_is_ended_by_the_function(store, marker):
    result = store.run_as_in_lambda("setsid sleep 300 & kill -KILL $PPID; sleep 300", variables={"m": marker})
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert runner.alive_with(marker) == []


def test_a_supervisor_that_is_killed_while_a_process_runs_away_leaves_nothing_either(store, marker):
    result = store.run_as_in_lambda(
        f"({python(RUN_AWAY)}) & sleep 0.3; kill -KILL $PPID; sleep 60",
        variables={"m": marker},
        limits={"processes": 50},
    )
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert runner.alive_with(marker) == []


def test_directories_that_a_step_has_locked_are_wiped(store, tmp_path):
    tmp_path.chmod(0o777)
    result = store.run_as_in_lambda(
        "for d in . ~; do mkdir -p $d/a/b/c && touch $d/a/b/c/d && chmod 000 $d/a/b/c $d/a/b $d/a; done; touch made",
        "mv ~ ../moved; chmod 000 ../moved .",
        tmp=str(tmp_path),
    )
    assert result["reason"] is None
    assert "made" in store.outputs()
    assert list(tmp_path.iterdir()) == []


def test_everything_new_in_the_shared_places_is_removed_in_lambda_only(store, tmp_path, monkeypatch):
    monkeypatch.setattr(cleanup, "IN_LAMBDA", True)
    monkeypatch.setattr(cleanup, "_shared_places", lambda: (str(tmp_path),))
    monkeypatch.setattr(sandbox, "step_user", lambda: None)
    (tmp_path / "before").write_text("kept")
    store.run(f"mkdir {tmp_path}/new && echo > {tmp_path}/new/file; echo > {tmp_path}/file; ls {tmp_path} > seen")
    assert store.outputs()["seen"] == b"before\nfile\nnew\n"
    assert [path.name for path in tmp_path.iterdir()] == ["before"]

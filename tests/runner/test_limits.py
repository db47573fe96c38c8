"""Steps that do not want to end, or want everything: each is bounded, and nothing of it is alive afterwards."""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import threading
import time

import app
import pytest

from runner import disk_usage, log, manifest, monitor, outcome, sandbox, step, supervisor
from support import runner

pytestmark = pytest.mark.usefixtures("bounded")

MIB = 1 << 20


def python(script):
    return f"exec $python -c {shlex.quote(script)}"


def test_a_step_that_takes_too_long_is_ended(store, marker):
    begun = time.monotonic()
    result = store.run("echo begun; sleep 60; echo never", limits={"seconds": 0.5}, variables={"m": marker})
    assert result["reason"] == {"code": "TIMEOUT", "detail": "step 's' took longer than 0.5 seconds"}
    assert result["exitCode"] is None
    assert result["messages"] == ["begun\n"]
    assert time.monotonic() - begun < 5
    assert runner.alive_with(marker) == []


def test_what_a_step_made_before_its_time_was_up_is_delivered(store):
    store.run("echo partial > out; sleep 60", limits={"seconds": 0.5})
    assert store.outputs() == {"out": b"partial\n"}


def test_processor_time_is_bounded(store):
    result = store.run("while :; do :; done", limits={"cpuSeconds": 1})
    assert result["reason"]["code"] == "TIMEOUT"
    assert "CPU" in result["reason"]["detail"]


STUBBORN = """
import os, signal, time
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
first = os.getpid()
for depth in range(4):
    if os.fork() == 0:
        os.setsid()
print('ready', flush=True)
while True:
    time.sleep(0.1)
    if os.getpid() != first and os.fork():
        os._exit(0)
"""


def test_a_canceled_step_that_ignores_signals_and_forks_is_gone_within_five_seconds(store, marker):
    url = store.stage(python(STUBBORN), variables={"m": marker}, limits={"seconds": 60})
    answer = {}
    thread = threading.Thread(target=lambda: answer.update(app.handler({"manifestUrl": url}, None)))
    thread.start()
    assert runner.until(lambda: len(runner.alive_with(marker)) >= 16)
    store.objects["runs/r/canceled"] = b""
    canceled_at = time.monotonic()
    assert runner.until(lambda: runner.alive_with(marker) == [], 5)
    thread.join(5)
    assert time.monotonic() - canceled_at < 5
    assert answer["reason"]["code"] == "CANCELED"
    assert "ready" in store.log, "the log of a canceled step is kept"
    assert store.outputs() == {}


def test_a_run_canceled_before_its_step_begins_starts_nothing(store, monkeypatch):
    monkeypatch.setattr(monitor, "CANCEL_SECONDS", 0.01)
    store.objects["runs/r/canceled"] = b""
    held = threading.Event()
    fetch = step.fetch_inputs

    def slow_fetch(manifest, directory, stop):
        assert stop.wait(5)
        held.set()
        return fetch(manifest, directory, stop)

    monkeypatch.setattr(step, "fetch_inputs", slow_fetch)
    result = store.run("echo ran", inputs={"a": b"a"})
    assert held.is_set()
    assert result["reason"]["code"] == "CANCELED"
    assert result["messages"] == []


def test_a_background_process_of_another_session_does_not_outlive_the_step(store, marker):
    result = store.run(
        "(setsid sh -c 'setsid sleep 300 & echo started; sleep 300' &) ; sleep 0.2; echo over",
        variables={"m": marker},
    )
    assert result["exitCode"] == 0
    assert "over" in result["messages"][0]
    assert runner.alive_with(marker) == []


def test_a_background_process_serves_the_following_commands(store, marker):
    result = store.run(
        "mkfifo $HOME/pipe; (echo served > $HOME/pipe) &", "cat $HOME/pipe > out", variables={"m": marker}
    )
    assert result["reason"] is None
    assert store.outputs() == {"out": b"served\n"}
    assert runner.alive_with(marker) == []


# Each ends at some 130 processes by itself: should the sandbox not hold, the machine of the test has to.
SHELL_BOMB = "b() { if [ $1 -gt 0 ]; then b $(($1 - 1)) | b $(($1 - 1)) & wait; else sleep 60; fi; }; b 6"


DOUBLING_BOMB = """
import os, time
for _ in range(7):
    try:
        os.fork()
    except OSError:
        pass
time.sleep(60)
"""
# Never more than two at once, but always others.
RUNAWAY_BOMB = """
import os
import pathlib
for _ in range(20000):
    try:
        if os.fork() == 0: os.setsid()
        else: os._exit(0)
    except OSError:
        pass
"""


@pytest.mark.parametrize(
    "bomb", [SHELL_BOMB, python(DOUBLING_BOMB), python(RUNAWAY_BOMB)], ids=["shell", "doubling", "running-away"]
)
def test_a_fork_bomb_is_bounded_and_nothing_of_it_is_left(store, marker, bomb):
    with runner.most_processes() as most:
        result = store.run(f"({bomb}) & sleep 60", limits={"processes": 60, "seconds": 1}, variables={"m": marker})
    assert result["reason"]["code"] in ("TIMEOUT", "STEP_FAILED")
    assert most() <= 200
    assert runner.alive_with(marker) == []


def test_too_many_processes_are_a_reason(store, marker):
    result = store.run(
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 30 & done; wait",
        limits={"processes": 5, "seconds": 5},
        variables={"m": marker},
    )
    assert result["reason"]["code"] == "STEP_FAILED"
    assert runner.alive_with(marker) == []


def test_a_memory_hog_is_ended(store, marker):
    hog = python("import time\nhog = [bytearray(8 << 20) for _ in range(100)]\ntime.sleep(60)")
    result = store.run(hog, limits={"memoryBytes": 150 * MIB}, variables={"m": marker})
    assert result["reason"] == {
        "code": "OUT_OF_MEMORY",
        "detail": "step 's' used more than 150 MiB of memory",
    }
    assert runner.alive_with(marker) == []


def test_the_memory_of_all_processes_counts_together(store):
    hog = "import time; hog = bytearray(60 << 20); time.sleep(60)"
    command = f"for i in 1 2 3; do $python -c {shlex.quote(hog)} & done; wait"
    assert store.run(command, limits={"memoryBytes": 150 * MIB})["reason"]["code"] == "OUT_OF_MEMORY"


def test_the_memory_of_orphans_in_other_sessions_counts_too(store, marker):
    hog = "import time; hog = bytearray(200 << 20); time.sleep(60)"
    command = f"(setsid $python -c {shlex.quote(hog)} &) ; sleep 60"
    result = store.run(command, limits={"memoryBytes": 150 * MIB}, variables={"m": marker})
    assert result["reason"]["code"] == "OUT_OF_MEMORY"
    assert runner.alive_with(marker) == []


def test_memory_that_processes_share_counts_once(store):
    script = (
        "import os, time\nshared = bytearray(os.urandom(1 << 20)) * 60\n"
        "for _ in range(4):\n    if os.fork() == 0:\n        time.sleep(0.4)\n        os._exit(0)\n"
        "for _ in range(4):\n    os.wait()\n"
    )
    assert store.run(python(script), limits={"memoryBytes": 150 * MIB})["reason"] is None


def test_address_space_is_bounded_where_it_is_never_touched(store):
    result = store.run(python("import mmap; mmap.mmap(-1, 8 << 30)"), limits={"memoryBytes": 100 * MIB})
    assert result["reason"]["code"] == "STEP_FAILED"
    assert result["exitCode"] == 1


def test_a_huge_file_is_cut_off(store):
    result = store.run("head -c 100000000 /dev/zero > big", limits={"fileBytes": 3 * MIB})
    assert result["reason"] == {
        "code": "OUTPUT_TOO_LARGE",
        "detail": f"step 's': command 1 of 1 wrote a file of {3 * MIB} bytes or more",
    }


def test_a_program_that_reports_its_huge_file_by_itself_gets_the_same_reason(store):
    script = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); open('big', 'wb').write(bytes(9 << 20))"
    result = store.run(python(script), limits={"fileBytes": 3 * MIB})
    assert result["reason"]["code"] == "OUTPUT_TOO_LARGE"
    assert "File too large" in result["messages"][0]


# An ordinary user's step has the same user, and whose a file in a shared place is cannot be told.
@pytest.mark.parametrize("place", [".", "$HOME", "/tmp"] if os.geteuid() == 0 else [".", "$HOME"])
def test_many_files_that_are_too_much_together_are_stopped(store, place):
    command = f"cd {place}; i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f{os.getpid()}-$i; done"
    result = store.run(command, limits={"outputBytes": 8 * MIB, "fileBytes": 2 * MIB})
    assert result["reason"]["code"] == "OUTPUT_TOO_LARGE"
    assert not [name for name in os.listdir("/tmp") if name.startswith(f"f{os.getpid()}-")]


DELETED = """
import os, time
held = []
for number in range(10):
    held.append(open(str(number), 'wb'))
    os.unlink(str(number))
    held[-1].write(bytes(1 << 20))
    held[-1].flush()
time.sleep(30)
"""
IN_MEMORY = """
import os, time
for number in range(10):
    os.write(os.memfd_create('hog'), bytes(1 << 20))
time.sleep(30)
"""
EMPTY = """
import time
for number in range(1500):
    open(str(number), 'w').close()
time.sleep(30)
"""


@pytest.mark.parametrize("script", [DELETED, IN_MEMORY, EMPTY], ids=["deleted", "in-memory", "empty"])
def test_files_that_no_directory_accounts_for_are_stopped_as_well(store, script):
    result = store.run(python(script), limits={"outputBytes": 4 * MIB}, outputs=[])
    assert result["reason"]["code"] == "OUTPUT_TOO_LARGE"


def test_space_that_somebody_else_uses_is_not_counted(tmp_path, monkeypatch):
    free = iter([1000, 100, 100, 99])
    monkeypatch.setattr(disk_usage.Usage, "_free", lambda usage: next(free))
    usage = disk_usage.Usage([str(tmp_path)], [], os.getuid(), 500)
    assert not usage.is_exceeded(), "600 bytes are gone, but none of them is in the directory"
    assert not usage.is_exceeded()


@pytest.mark.parametrize(
    ("free", "period"), [([9000, 0, 0], 1000), ([9000, 99000, 99000], 0)], ids=["at-once", "in-time"]
)
def test_growth_is_noticed_when_space_shrinks_and_in_time_where_others_leave_more(tmp_path, monkeypatch, free, period):
    left = iter(free)
    monkeypatch.setattr(disk_usage.Usage, "_free", lambda usage: next(left))
    monkeypatch.setattr(disk_usage, "PERIOD_SECONDS", period)
    usage = disk_usage.Usage([str(tmp_path)], [], os.getuid(), 8000)
    (tmp_path / "file").write_bytes(bytes(9000))
    assert usage.is_exceeded()


@pytest.mark.parametrize("command", ["rm -rf ~", "rm -rf ~ ../home ../run/* .", "chmod 000 ~ ."])
def test_a_step_that_destroys_its_own_directories_harms_nobody_else(store, command):
    result = store.run(f"{command}; sleep 0.2; exit 5")
    assert (result["exitCode"], result["reason"]["code"]) == (5, "STEP_FAILED")


def test_endless_output_is_cut_in_the_middle(store):
    result = store.run("echo first; yes", limits={"logBytes": 20_000, "seconds": 0.6})
    assert result["reason"]["code"] == "TIMEOUT"
    assert len(store.log) < 21_000
    assert store.log.startswith("first\ny\n")
    assert "bytes are left out here" in store.log
    assert store.log.endswith("y\n")
    assert len(result["messages"][0]) == log.TAIL_CHARACTERS


def test_a_step_that_closes_its_streams_is_watched_to_its_end(store):
    result = store.run("exec >&- 2>&-; sleep 0.3; exit 4")
    assert result["exitCode"] == 4
    assert store.run("exec >&- 2>&- ; sleep 60", limits={"seconds": 0.5})["reason"]["code"] == "TIMEOUT"


def test_open_files_are_bounded(store):
    script = "held = [open('/dev/null') for _ in range(500)]"
    result = store.run(python(script), limits={"openFiles": 100})
    assert result["exitCode"] == 1
    assert "Too many open files" in result["messages"][0]


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"status": 0}, None),
        ({"status": 1}, "STEP_FAILED"),
        ({"status": 137}, "STEP_FAILED"),
        ({"status": 137, "starved": True}, "OUT_OF_MEMORY"),
        ({"status": 1, "starved": True}, "STEP_FAILED"),
        ({"status": 152}, "TIMEOUT"),
        ({"status": 153}, "OUTPUT_TOO_LARGE"),
        ({"status": 0, "clean": False}, "SYSTEM_ERROR"),
        ({"stopped": "asked"}, "CANCELED"),
        ({"stopped": "disk"}, "OUTPUT_TOO_LARGE"),
        ({"stopped": "memory"}, "OUT_OF_MEMORY"),
        ({"stopped": "processes"}, "STEP_FAILED"),
        ({"stopped": "start"}, "STEP_FAILED"),
        ({"stopped": "time"}, "TIMEOUT"),
    ],
)
def test_every_way_to_end_has_its_reason(store, report, code):
    given = manifest.parse(store.manifest("true"))
    ended = supervisor.Report(1, None, None, "", False, True)._replace(**report)
    reason = outcome.judge(given, 1.0, ended)
    assert (reason and reason.code) == code


def test_a_step_that_kills_its_supervisor_is_ended_by_the_function(store, marker, monkeypatch):
    """Where a step has the user of the function, as in Lambda, it can do that."""
    monkeypatch.setattr(sandbox, "step_user", lambda: None)
    result = store.run("setsid sleep 300 & kill -KILL $PPID; sleep 300", variables={"m": marker})
    assert result["reason"] == {
        "code": "SYSTEM_ERROR",
        "detail": "step 's' could not be watched to its end: its supervisor was killed",
    }
    assert runner.alive_with(marker) == []


def test_a_supervisor_that_cannot_begin_is_a_failure_of_ours(store, monkeypatch, tmp_path):
    runner.replace_supervisor(monkeypatch, tmp_path, "raise MemoryError")
    result = store.run("true", variables={"more than a pipe holds": "x" * 100_000})
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert "MemoryError" in result["reason"]["detail"]


def test_a_step_that_stops_its_supervisor_is_ended_by_the_function(store, marker, monkeypatch):
    monkeypatch.setattr(sandbox, "step_user", lambda: None)
    monkeypatch.setattr(sandbox, "GRACE_SECONDS", 0.5)
    result = store.run("kill -STOP $PPID; sleep 300", variables={"m": marker}, limits={"seconds": 0.5})
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert runner.alive_with(marker) == []


def test_everything_ends_with_the_function(store, marker):
    """A function that is killed cannot clean up; its supervisor notices and does."""
    with tempfile.TemporaryDirectory(prefix="function-") as tmp:
        os.chmod(tmp, 0o711)
        end_a_function(store, marker, pathlib.Path(tmp))


def end_a_function(store, marker, tmp_path):
    """Kill a function while its step runs, whose directories are in a place that the step's user can reach."""
    url = store.stage("setsid sleep 300 & sleep 300", inputs={"a": b"a"}, variables={"m": marker})
    program = f"import app; app.handler({{'manifestUrl': {url!r}}}, None)"
    environment = {"PYTHONPATH": str(runner.FOLDER), "TMPDIR": str(tmp_path), **runner.told()}
    function = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        assert runner.until(lambda: len(runner.alive_with(marker)) >= 3)
        assert len(list(tmp_path.iterdir())) == 1
    finally:
        function.kill()
        function.wait()
    assert runner.until(lambda: runner.alive_with(marker) == [], 5)
    assert runner.until(lambda: list(tmp_path.iterdir()) == [], 5)

"""Ending processes that do not want to be found."""

import os
import resource
import select
import subprocess

import pytest

from runner import privileges, procfs
from support import runner

RUN_AWAY = """
import os
os.write(1, b"x")
while True:
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        pass
"""
SCATTER = """
import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.write(1, b"x")
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        os._exit(0)
"""


@pytest.fixture
def adopting():
    """This process inherits the orphans of its children, as the supervisor does."""
    privileges.adopt_orphans()
    yield
    privileges.adopt_orphans(False)


def bounded():
    """Nobody in particular, who may have 40 processes."""
    user = 2**30 + os.getpid() if os.geteuid() == 0 else os.getuid()
    most = 40 + procfs.threads_of(user)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    privileges.become(user if os.geteuid() == 0 else None)


@pytest.mark.parametrize("script", [RUN_AWAY] * 4 + [SCATTER] * 2)
def test_nobody_holds_the_other_end_of_a_pipe_any_more(adopting, script):
    """A pipe tells for certain: it ends when the last process that holds it has ended, seen or unseen."""
    spare = {process.pid for process in procfs.descendants(os.getpid())}
    command = [runner.PYTHON, "-I", "-S", "-c", script]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, cwd="/", preexec_fn=bounded)
    with first, open(first.stdout.fileno(), "rb", closefd=False, buffering=0) as pipe:
        assert pipe.read(1) == b"x"
        assert procfs.end_descendants(os.getpid(), spare)
        while select.select([pipe], [], [], 0)[0]:
            if not pipe.read(4096):
                break
        else:
            pytest.fail("somebody is alive")


def test_those_who_were_there_before_are_spared(adopting):
    # An emulator may be there before: all tests of a worker have the same parent.
    others = {process.pid for process in procfs.descendants(os.getpid())}
    with subprocess.Popen(["sleep", "60"]) as before, subprocess.Popen(["sleep", "60"]) as after:
        assert procfs.end_descendants(os.getpid(), {before.pid, *others})
        assert before.poll() is None
        assert after.wait(1) is not None
        before.kill()


def test_a_process_that_cannot_be_ended_in_time_is_told(monkeypatch):
    with subprocess.Popen(["sleep", "60"]) as process:
        monkeypatch.setattr(procfs.os, "kill", lambda pid, number: None)
        assert not procfs.end_descendants(os.getpid(), seconds=0.05)
        monkeypatch.undo()
        process.kill()


def test_names_of_programs_do_not_confuse_the_reader(tmp_path):
    strange = tmp_path / ") Z 1 1 (("
    strange.symlink_to("/bin/sleep")
    with subprocess.Popen([strange, "60"]) as process:
        assert runner.until(lambda: b")" in (runner.pathlib.Path(f"/proc/{process.pid}/comm").read_bytes()))
        found = procfs.table()[process.pid]
        assert (found.parent, found.alive, found.threads) == (os.getpid(), True, 1)
        assert found.resident > 0
        process.kill()


def test_who_has_ended_holds_no_memory():
    with subprocess.Popen(["true"]) as process:
        assert runner.until(lambda: not procfs.table()[process.pid].alive)
        seen = procfs.table()[process.pid]._replace(resident=1 << 30)
        assert procfs.memory([seen], 1 << 20) == 0
    assert procfs.memory([seen], 1 << 20) == 0

"""Why a step failed, in words that help: the last line that it wrote, or the limit that it reached and who sets it."""

import json
import os
import shlex
import subprocess

import pytest

from flowserverless.domain import limits
from runner import container, manifest, step

pytestmark = pytest.mark.usefixtures("bounded")

SET_BY = limits.set_by("lambda", limits.parameter("StepSeconds"))
MIB = 1 << 20


def detail(store, *commands, **members):
    """The detail of the reason, which has to be there."""
    return store.run(*commands, setBy=SET_BY, **members)["reason"]["detail"]


def python(script):
    return f"exec $python -c {shlex.quote(script)}"


FAILED = "step 's': command {} of {} exited with code {}"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("echo 'line 12: a column is missing'; exit 1", "line 12: a column is missing"),
        ("echo 'line 12: a column is missing' >&2; exit 1", "line 12: a column is missing"),
        (python("import sys; sys.exit('line 12: ünknöwn')"), "line 12: ünknöwn"),
        (python("def f():\n    raise ValueError('line 12')\nf()"), "ValueError: line 12"),
        ("printf 'why\\n\\n  \\n_____\\n'; exit 1", "why"),
        ("printf 'ten\\rfifty\\rwhy'; exit 1", "why"),
        ("printf '\\033[31mwhy\\033[0m\\n'; exit 1", "why"),
        ("echo warned >&2; sleep 0.1; echo why; exit 1", "why"),
        ("yes | head -c 300000; echo why; exit 1", "why"),
        (f"echo {'x' * 3000}; exit 1", "x" * 500 + "..."),
    ],
)
def test_the_reason_has_the_last_line_that_says_something(store, command, line):
    assert detail(store, command) == f"{FAILED.format(1, 1, 1)}: {line}"


def test_a_command_that_says_nothing_is_not_given_the_words_of_an_earlier_one(store):
    assert detail(store, "echo all is fine", "exit 7") == FAILED.format(2, 2, 7)
    assert detail(store, "echo -----; exit 7") == FAILED.format(1, 1, 7)


def test_the_messages_stay_as_they_are(store):
    result = store.run("echo first; echo why >&2; exit 1")
    assert result["messages"] == ["first\n", "why\n"]


def test_a_function_that_fails_says_why(store):
    code = {"func": "m.fn", "arg": None, "variables": {}}
    source = b"def fn():\n    raise LookupError('line 12')\n"
    assert detail(store, kind="code", code=code, inputs={"m.py": source}).endswith(": LookupError: line 12")


def test_a_job_says_why_as_a_lambda_does(store, tmp_path):
    url = store.stage("echo first", "echo 'line 12'; exit 4", outcome=store.form("runs/r/outcomes/000.json"))
    container.main(["fetch", url, str(tmp_path)])
    subprocess.run(["/bin/sh", tmp_path / "step.sh"], env={"PATH": os.environ["PATH"]}, check=False)
    container.main(["deliver", url, str(tmp_path)])
    told = json.loads(store.objects["runs/r/outcomes/000.json"])["reason"]
    assert told == {"code": "STEP_FAILED", "detail": f"{FAILED.format(2, 2, 4)}: line 12"}


HOG = python("import time\nhog = [bytearray(8 << 20) for _ in range(100)]\ntime.sleep(60)")
FORKS = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 30 & done; wait"
MANY_FILES = "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f$i; done"
OPEN = python("held = [open('/dev/null') for _ in range(500)]")
SPACE = python("import mmap; mmap.mmap(-1, 8 << 30)")


@pytest.mark.parametrize(
    ("command", "lowered", "code", "said", "parameter"),
    [
        ("sleep 60", {"seconds": 0.5}, "TIMEOUT", "longer than 0.5 seconds", "StepSeconds"),
        ("while :; do :; done", {"cpuSeconds": 1}, "TIMEOUT", "1 seconds of CPU time", "StepCpuSeconds"),
        (HOG, {"memoryBytes": 150 * MIB}, "OUT_OF_MEMORY", "more than 150 MiB of memory", "StepMemory"),
        (FORKS, {"processes": 5}, "STEP_FAILED", "5 processes", "StepProcesses"),
        (OPEN, {"openFiles": 100}, "STEP_FAILED", "100 open files", "StepOpenFiles"),
        (SPACE, {"memoryBytes": 100 * MIB}, "STEP_FAILED", "Cannot allocate memory (it may have 100 MiB", "StepMemory"),
        ("head -c 9000000 /dev/zero > big", {"fileBytes": 3 * MIB}, "OUTPUT_TOO_LARGE", "3145728 bytes", "FileBytes"),
        (MANY_FILES, {"outputBytes": 8 * MIB}, "OUTPUT_TOO_LARGE", "more than 8388608 bytes", "OutputBytes"),
        ("truncate -s 3M a b c", {"outputBytes": 8 * MIB}, "OUTPUT_TOO_LARGE", "8388608 bytes", "OutputBytes"),
    ],
)
def test_a_limit_is_named_with_its_value_and_who_sets_it(store, command, lowered, code, said, parameter):
    result = store.run(command, limits=lowered, setBy=SET_BY)
    assert result["reason"]["code"] == code
    assert said in result["reason"]["detail"]
    assert f": the installation's parameter {parameter} sets this limit" in result["reason"]["detail"]


def test_a_limit_that_nobody_can_change_says_so(store):
    said = detail(store, "touch a b c d", limits={"files": 3})
    assert said == f"step 's': there are more than 3 outputs: {limits.FIXED}"


def test_a_program_that_reports_its_huge_file_by_itself_is_told_the_limit_too(store):
    script = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); open('big', 'wb').write(bytes(9 << 20))"
    said = detail(store, python(script), limits={"fileBytes": 3 * MIB})
    assert "exited with code 1: OSError: [Errno 27] File too large; it had written a file of 3145728 bytes" in said
    assert "FileBytes" in said


def test_where_the_function_has_no_more_time_that_is_what_is_said(store):
    given = manifest.parse(store.manifest("sleep 60", setBy=SET_BY))
    reason = step.perform(given, 1.0).reason
    assert reason.code == "TIMEOUT"
    assert "seconds: the function that runs steps had no more left" in reason.detail

"""What a step is given, what becomes of what it makes, and what is said about it."""

import json
import os
import re
import shlex

import app
import pytest

from runner import sandbox

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def test_outputs_log_and_messages_are_delivered(store):
    result = store.run("tr a-z A-Z < data/in.txt > out.txt", "echo done; echo note >&2", inputs={"data/in.txt": b"abc"})
    assert (result["exitCode"], result["reason"]) == (0, None)
    assert store.outputs() == {"out.txt": b"ABC"}
    assert (result["files"], result["bytes"]) == (1, 3)
    assert result["messages"] == ["done\n", "note\n"]
    assert sorted(store.log.splitlines()) == ["done", "note"]


def test_the_answer_has_the_members_that_the_state_machine_reads(store):
    result = store.run("true")
    assert set(result) == {"exitCode", "reason", "startedAt", "finishedAt", "messages", "files", "bytes", "python"}
    assert TIMESTAMP.fullmatch(result["startedAt"])
    assert TIMESTAMP.fullmatch(result["finishedAt"])
    assert result["startedAt"] < result["finishedAt"]
    assert result["messages"] == []


def test_commands_stop_at_the_first_that_fails_and_files_are_delivered_all_the_same(store):
    result = store.run("echo a > a", "echo why >&2; exit 3", "echo b > b")
    assert result["exitCode"] == 3
    assert result["reason"] == {
        "code": "STEP_FAILED",
        "detail": "step 's': command 2 of 3 exited with code 3: why",
    }
    assert result["messages"] == ["why\n"]
    assert store.outputs() == {"a": b"a\n"}


def test_a_command_that_is_killed_has_the_exit_code_that_a_shell_gives_it(store):
    result = store.run("kill -TERM $$")
    assert result["exitCode"] == 143
    assert result["reason"]["code"] == "STEP_FAILED"


def test_the_environment_is_written_from_nothing(store, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-from-steps")
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    result = store.run("env > env.txt", variables={"greeting": "hello"})
    names = {line.partition("=")[0] for line in store.outputs()["env.txt"].decode().splitlines()}
    assert result["exitCode"] == 0
    own = {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "USER", "LOGNAME"}
    own |= {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "python"}
    assert names - {"LD_LIBRARY_PATH", "_", "SHLVL", "OLDPWD"} == own | {"greeting"}


def test_nothing_of_the_environment_is_found_by_way_of_the_process_table(store, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", store.secret)
    store.run("cat /proc/[0-9]*/environ /proc/[0-9]*/task/*/environ 2> err | tr '\\0' '\\n' > found; true")
    assert b"TMPDIR=" in store.outputs()["found"], "the step's own environment at least is readable"
    assert store.secret.encode() not in store.outputs()["found"]


def test_memory_and_open_files_of_the_function_are_closed_to_the_step(store):
    parent = os.getpid()
    store.run(
        f"for f in mem environ fd/0 fd/1 root cwd; do head -c 1 /proc/{parent}/$f && echo $f >> opened; done; true",
        "for f in mem environ fd/0 fd/1; do head -c 1 /proc/$PPID/$f && echo $f >> opened; done; touch tried",
    )
    assert store.outputs() == {"tried": b""}


def test_neither_the_function_nor_the_supervisor_can_be_traced(store):
    script = (
        "import ctypes, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "for pid in map(int, sys.argv[1:]):\n"
        "    print(libc.ptrace(16, pid, None, None), ctypes.get_errno())\n"
    )
    store.run(f"$python -c {shlex.quote(script)} $PPID {os.getpid()} > out")
    assert store.outputs()["out"] == b"-1 1\n-1 1\n"


def test_a_step_has_no_open_file_but_its_three_streams(store):
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        store.run("ls /proc/self/fd > fds; readlink /proc/$$/fd/0 >> fds")
    finally:
        os.close(reader)
        os.close(writer)
    # `ls` itself opens the directory as 3.
    assert store.outputs()["fds"] == b"0\n1\n2\n3\n/dev/null\n"


def test_a_step_gains_no_privileges(store):
    store.run("cp /proc/self/status status")
    status = dict(line.split(":\t", 1) for line in store.outputs()["status"].decode().splitlines())
    assert status["NoNewPrivs"] == "1"
    # Only root can take away what nobody holds, but might gain.
    for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb", *(["CapBnd"] if os.geteuid() == 0 else [])):
        assert int(status[kind], 16) == 0, kind


def test_the_user_of_a_step_has_a_name(store):
    """PyTorch and others ask for it when they are imported, whether the number of the user has an entry or not."""
    result = store.run("${python} -c 'import getpass; print(getpass.getuser())' > name; echo $USER $LOGNAME >> name")
    assert result["reason"] is None
    assert store.outputs()["name"] == b"step\nstep step\n"


def test_the_parameters_of_a_workflow_are_data_and_no_code(store):
    value = "\"; touch INJECTED #'$(touch INJECTED)`touch INJECTED`\n*&|<>\\ ${HOME} é 😀"
    store.run('printf %s "${name}" > out', variables={"name": value})
    assert store.outputs() == {"out": value.encode()}


def test_a_hundred_kilobytes_fit_into_a_variable(store):
    store.run('printf %s "$text" | wc -c > out', variables={"text": "x" * 100_000})
    assert store.outputs()["out"].strip() == b"100000"


@pytest.mark.parametrize("value", ["x" * 200_000, "a\0b", "\ud800"])
def test_a_variable_that_no_program_can_be_given_is_a_reason(store, value):
    result = store.run("true", variables={"text": value})
    assert result["exitCode"] is None
    assert result["reason"]["code"] == "STEP_FAILED"
    assert "command 1 of 1 could not be started" in result["reason"]["detail"]


def test_dollar_signs_and_braces_are_left_to_the_shell(store):
    store.run('mkdir $HOME/x; cd "$HOME/x" && pwd > $OLDPWD/a', "echo 'one two' | awk '{print $2}' > b")
    assert store.outputs()["a"].endswith(b"/home/x\n")
    assert store.outputs()["b"] == b"two\n"


def test_the_answer_tells_which_python_executed_the_step(store):
    result = store.run("${python} -c 'import platform; print(platform.python_version())'")
    assert result["messages"] == [f"{result['python']}\n"]


def test_the_interpreter_is_at_hand_by_variable_and_by_name(store):
    result = store.run("${python} -c 'print(6 * 7)' > a", "python3 -c 'print(6 * 7)' > b")
    assert result["reason"] is None
    assert store.outputs() == {"a": b"42\n", "b": b"42\n"}


def test_a_closed_pipe_ends_a_writer_as_in_any_shell(store):
    assert store.run("yes | head -n 1 > out")["exitCode"] == 0
    assert store.outputs() == {"out": b"y\n"}


def test_directories_of_declared_outputs_exist(store):
    result = store.run(
        "echo 1 > results/a.json; echo 2 > plots/deep/b.txt; echo 3 > raw/c",
        outputs=["results/a.json", "raw/", "x/*.txt"],
        always=["plots/deep/b.txt"],
    )
    assert result["reason"] is None
    assert set(store.outputs()) == {"results/a.json", "plots/deep/b.txt", "raw/c"}


def test_a_step_without_commands_succeeds(store):
    assert store.run()["reason"] is None


def test_the_second_run_in_a_process_finds_nothing_of_the_first(store):
    first = store.run("echo x > own; echo x > ~/home; mkdir -p $TMPDIR/a && echo x > $TMPDIR/a/b; pwd > where")
    assert first["exitCode"] == 0
    where = store.outputs()["where"].decode().strip()
    again = store.run(f"find . ~ > found; ls {where}/own {where} 2> gone; pwd > where")
    assert again["exitCode"] == 0
    assert sorted(store.outputs()["found"].decode().splitlines()) == [".", "./found", again_home(store)]
    assert store.outputs()["gone"].count(b"No such file") == 2


def again_home(store):
    """The home directory beside the run directory that the step said it was in."""
    return store.outputs()["where"].decode().strip().removesuffix("run") + "home"


def test_directories_that_a_step_has_locked_or_dug_deep_are_wiped(store, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox.tempfile, "tempdir", str(tmp_path))
    dig = "import os\nfor _ in range(400):\n    os.mkdir('d' * 200)\n    os.chdir('d' * 200)\n"
    store.run(
        "mkdir -p a/b && touch a/b/c && chmod 000 a/b a; touch \"$(printf 'n\\377\\nl')\"; mkfifo p; ln -s / root",
        f"$python -c {shlex.quote(dig)}; cd $HOME && mkdir -p x/y && touch x/y/z && chmod 0 x/y x",
        limits={"seconds": 10},
    )
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_that_cannot_be_had_is_an_error_of_the_system(store):
    result = app.handler({"manifestUrl": f"{store.url}/nowhere?X-Amz-Signature=secret"}, None)
    assert result["reason"]["code"] == "SYSTEM_ERROR"
    assert "404" in result["reason"]["detail"]
    assert "secret" not in json.dumps(result)


def test_the_time_that_the_function_has_left_bounds_the_step(store, monkeypatch):
    class Context:
        def get_remaining_time_in_millis(self):
            return 1500 + 1000 * app.RESERVE_SECONDS

    result = app.handler({"manifestUrl": store.stage("sleep 60")}, Context())
    assert result["reason"]["code"] == "TIMEOUT"
    seconds = re.search(r"longer than ([0-9.]+) seconds", result["reason"]["detail"])[1]
    assert 1 <= float(seconds) <= 1.5

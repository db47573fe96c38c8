"""The two programs around a container of the user's own image, with a shell in the place of that container."""

import json
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest

from runner import container, pythonpath
from support import runner


def around(store, tmp_path, *commands, between=lambda: None, **members):
    """Fetch, run the script as the user's container would, deliver; the exit status of both, and the result."""
    url = store.stage(*commands, **members)
    assert container.main(["fetch", url, str(tmp_path)]) == 0
    script = subprocess.run(["/bin/sh", tmp_path / "step.sh"], env={"PATH": "/usr/bin:/bin"}, check=False)
    between()
    status = container.main(["deliver", url, str(tmp_path)])
    return script.returncode, status, json.loads((tmp_path / "result.json").read_text())


def test_the_users_image_may_run_as_anybody(store):
    with store.room() as room:
        url = store.stage("echo said; echo done > out", outputs=["out"])
        assert container.main(["fetch", url, room]) == 0
        assert {os.stat(f"{room}/{name}").st_mode & 0o777 for name in ("log", "status")} == {0o666}
        anybody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        script = subprocess.run(["/bin/sh", f"{room}/step.sh"], env={"PATH": "/usr/bin:/bin"}, check=False, **anybody)
        assert container.main(["deliver", url, room]) == 0
    assert (script.returncode, store.log, store.outputs()) == (0, "said\n", {"out": b"done\n"})


def test_inputs_are_fetched_commands_run_and_outputs_delivered(store, tmp_path, capsys):
    value = 'it\'s "$(touch INJECTED)" `x`\nline'
    ran, status, result = around(
        store,
        tmp_path,
        'printf %s "$name" > out; echo said; echo warned >&2',
        "cat in/a >> out; ${python} -c 'print(1)' > results/b",
        inputs={"in/a": b"!"},
        variables={"name": value, "PATH": "/usr/local/bin:/usr/bin:/bin"},
        outputs=["out", "results/b"],
    )
    assert (ran, status) == (0, 0)
    assert store.outputs() == {"out": value.encode() + b"!", "results/b": b"1\n"}
    assert store.log == "said\nwarned\n"
    assert result == json.loads(capsys.readouterr().out)
    assert (result["exitCode"], result["reason"], result["files"]) == (0, None, 2)
    assert result["startedAt"] < result["finishedAt"]


def test_the_user_of_a_step_has_a_name_though_its_number_has_none(store):
    with store.room() as room:
        url = store.stage("echo $USER $LOGNAME > name; printenv USER LOGNAME >> name", outputs=["name"])
        assert container.main(["fetch", url, room]) == 0
        nameless = {"user": 2**30, "group": 2**30, "extra_groups": []} if os.getuid() == 0 else {}
        path = {"PATH": "/usr/bin:/bin"}
        subprocess.run(["/bin/sh", f"{room}/step.sh"], env=path, check=True, **nameless)
        assert container.main(["deliver", url, room]) == 0
    name = "step" if nameless else subprocess.check_output(["id", "-un"], text=True).strip()
    assert store.outputs()["name"].decode() == f"{name} {name}\n{name}\n{name}\n"


def test_the_name_that_an_image_gives_the_user_is_left(store, tmp_path):
    url = store.stage('echo "$USER $LOGNAME" > name')
    assert container.main(["fetch", url, str(tmp_path)]) == 0
    subprocess.run(["/bin/sh", tmp_path / "step.sh"], env={"PATH": "/usr/bin:/bin", "USER": "ada"}, check=True)
    assert container.main(["deliver", url, str(tmp_path)]) == 0
    assert store.outputs()["name"] == b"ada ada\n"


def test_programs_written_for_flowserv_find_its_module_in_any_image_with_python(store):
    with store.room() as room:
        url = store.stage("$python -c 'import flowserv.util as u; print(u.join(1, 2))' > joined", outputs=["joined"])
        assert container.main(["fetch", url, room]) == 0
        anybody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        image = {
            "PATH": "/usr/bin:/bin",
            "python": runner.PYTHON,
            "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
        }
        subprocess.run(["/bin/sh", f"{room}/step.sh"], env=image, check=True, **anybody)
        assert container.main(["deliver", url, room]) == 0
    assert store.outputs()["joined"] == b"1/2\n"


def test_the_exit_status_of_the_step_is_that_of_the_delivery(store, tmp_path):
    ran, status, result = around(store, tmp_path, "true", "exit 3", "touch never")
    assert (ran, status, result["exitCode"]) == (3, 3, 3)
    assert result["reason"] == {
        "code": "STEP_FAILED",
        "detail": "step 's': command 2 of 3 exited with code 3",
    }
    assert store.outputs() == {}


def test_a_command_that_leaves_the_shell_or_changes_directory_does_not_disturb_the_next(store, tmp_path):
    around(store, tmp_path, "cd /; exit 0", "pwd > here; x=1", 'echo "[$x]" > variable')
    assert store.outputs()["here"].decode().strip() == str(tmp_path / "run")
    assert store.outputs()["variable"] == b"[]\n"


def test_a_container_that_was_ended_from_outside_is_a_failure_of_the_step(store, tmp_path):
    url = store.stage("true")
    container.main(["fetch", url, str(tmp_path)])
    (tmp_path / "log").write_text("half a log")
    assert container.main(["deliver", url, str(tmp_path)]) == 1
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["exitCode"], result["reason"]["code"]) == (None, "STEP_FAILED")
    assert store.log == "half a log"


def test_of_a_log_that_a_step_has_made_endless_the_ends_are_read(store, tmp_path):
    def stretch():
        os.truncate(tmp_path / "log", 1 << 34)
        with (tmp_path / "log").open("ab") as log:
            log.write(b"the end\n")

    around(store, tmp_path, "echo said", between=stretch)
    assert store.log.startswith("said\n")
    head, number, tail = re.split(r"\n\[... (\d+) bytes are left out here ...\]\n", store.log)
    assert len(head) + int(number) + len(tail) == (1 << 34) + len("the end\n")
    assert store.log.endswith("the end\n")


@pytest.mark.parametrize("content", ["", "0", "none\n", "99999 1\n", "0 1 2\n"])
def test_a_status_that_a_step_has_forged_is_none(store, tmp_path, content):
    _, status, result = around(store, tmp_path, "true", between=lambda: (tmp_path / "status").write_text(content))
    assert (status, result["exitCode"]) == (1, None)


def test_links_in_the_place_of_the_notes_are_not_followed(store, tmp_path):
    def plant():
        (tmp_path / "log").unlink()
        (tmp_path / "log").symlink_to("/etc/passwd")

    around(store, tmp_path, "echo said", between=plant)
    assert "runs/r/logs/000.txt" not in store.objects or "root:" not in store.log


def test_refused_outputs_fail_the_delivery(store, tmp_path):
    store.always_refused["runs/r/files/out"] = (403, "AccessDenied")
    _, status, result = around(store, tmp_path, "echo > out")
    assert status == 1
    assert result["reason"]["code"] == "SYSTEM_ERROR"


def test_inputs_that_cannot_be_had_fail_the_fetch(store, tmp_path, capsys):
    url = store.stage("true", inputs={"a": b"a"})
    del store.objects["in/a"]
    assert container.main(["fetch", url, str(tmp_path)]) == 1
    assert "input 'a' could not be fetched: 404" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bytes_now", "code", "said"),
    [
        (b"b", "INPUT_CHANGED", "is not the file that was uploaded: it has the SHA-256 3e23"),
        (b"ab", "INPUT_CHANGED", "is not the file that was uploaded: it has 2 bytes instead of 1"),
        (None, "FILE_DELETED", "input 'uploads/a' is an upload that was deleted meanwhile"),
    ],
)
def test_a_job_says_why_its_inputs_could_not_be_had(store, tmp_path, bytes_now, code, said):
    outcome = store.form("runs/r/outcomes/000.json")
    url = store.stage("true", inputs={"uploads/a": b"a"}, outcome=outcome)
    del store.objects["in/uploads/a"]
    if bytes_now is not None:
        store.objects["in/uploads/a"] = bytes_now
    assert container.main(["fetch", url, str(tmp_path)]) == 1
    told = json.loads(store.objects[outcome["key"]])
    assert (told["exitCode"], told["reason"]["code"]) == (None, code)
    assert said in told["reason"]["detail"]
    assert str(tmp_path) not in str(told)


def test_anything_else_is_answered_with_the_usage(capsys):
    assert container.main(["fetch"]) == 2
    assert "usage" in capsys.readouterr().err


def test_a_run_directory_that_became_a_link_is_not_delivered_from(store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("outside")

    def replace():
        (tmp_path / "run").rename(tmp_path / "gone")
        (tmp_path / "run").symlink_to(tmp_path / "elsewhere")

    _, status, result = around(store, tmp_path, "true", between=replace)
    assert (status, result["reason"]["code"]) == (1, "SYSTEM_ERROR")
    assert store.outputs() == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"a": [1, 2]}', "[" * 100_000])
def test_notes_that_a_step_has_forged_do_no_harm(store, tmp_path, content):
    def forge():
        (tmp_path / "before.json").write_text(content)
        (tmp_path / "started").write_text(content)

    _, status, result = around(store, tmp_path, "echo > b", inputs={"a": b"a"}, between=forge)
    assert status == 0
    assert set(store.outputs()) == {"a", "b"}, "what is known of no file is delivered"
    assert result["startedAt"].endswith("+00:00")


def test_inputs_that_did_not_change_are_not_delivered_again(store, tmp_path):
    around(store, tmp_path, "echo x > c; echo more >> b", inputs={"a": b"a", "b": b"b"})
    assert set(store.outputs()) == {"b", "c"}


def test_the_program_is_executed_as_the_zip_in_which_a_job_gets_it(store, tmp_path):
    program, room = tmp_path / "run_step.zip", tmp_path / "room"
    room.mkdir()
    with zipfile.ZipFile(program, "w") as archive:
        for path in sorted(runner.FOLDER.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(runner.FOLDER))
    url = store.stage("true", inputs={"a": b"a"})
    for action in ("fetch", "deliver"):
        done = subprocess.run([sys.executable, program, action, url, room], capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
    held = {path.relative_to(pythonpath.FLOWSERV) for path in pathlib.Path(pythonpath.FLOWSERV).rglob("*.py")}
    assert {path.relative_to(room / "library") for path in (room / "library").rglob("*.py")} == held
    assert (room / "run" / "a").read_bytes() == b"a"

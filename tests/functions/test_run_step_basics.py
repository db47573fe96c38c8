"""What a step is given, what becomes of what it makes, and what is said about it."""

import pytest
from run_step_stage import Store


@pytest.fixture
def store():
    with Store() as store:
        yield store


def test_outputs_log_and_messages_of_a_step_are_delivered(store):
    result = store.run(
        "tr a-z A-Z < data/in.txt > out.txt", "echo done; echo note >&2", inputs={"data/in.txt": b"abc"}
    )
    assert (result["exitCode"], result["reason"]) == (0, None)
    assert store.outputs() == {"out.txt": b"ABC"}
    assert (result["files"], result["bytes"]) == (1, 3)
    assert result["messages"] == ["done\n", "note\n"]
    assert sorted(store.log.splitlines()) == ["done", "note"]
    assert result["startedAt"] < result["finishedAt"]


def test_commands_stop_at_the_first_that_fails_and_files_are_delivered_all_the_same(store):
    result = store.run("echo a > a", "echo why >&2; exit 3", "echo b > b")
    assert result["exitCode"] == 3
    assert result["reason"] == {
        "code": "STEP_FAILED",
        "detail": "step 's': command 2 of 3 exited with code 3",
    }
    assert result["messages"] == ["why\n"]
    assert store.outputs() == {"a": b"a\n"}


def test_the_environment_is_written_from_nothing(store, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-from-steps")
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    result = store.run("env | sort > env.txt", variables={"greeting": "hello"})
    names = {line.partition("=")[0] for line in store.outputs()["env.txt"].decode().splitlines()}
    assert result["exitCode"] == 0
    expected = {
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "PWD",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "python",
    }
    assert names - {"LD_LIBRARY_PATH", "PYTHONPATH", "_", "SHLVL", "OLDPWD"} == expected | {"greeting"}

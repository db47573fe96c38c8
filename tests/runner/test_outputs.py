"""Which files of a step are delivered, under which names, and which are not although they are there."""

import hashlib
import shlex

import pytest

from runner import log, sandbox


def test_inputs_that_did_not_change_are_not_delivered_again(store):
    result = store.run(
        "echo more >> changed; printf same > rewritten; touch touched; chmod 600 modes; mv moved away; rm removed",
        inputs={
            "changed": b"x\n",
            "rewritten": b"same",
            "touched": b"t",
            "modes": b"m",
            "moved": b"v",
            "removed": b"r",
            "left/alone": b"l",
        },
    )
    assert result["reason"] is None
    assert store.outputs() == {"changed": b"x\nmore\n", "away": b"v"}


def test_a_change_that_keeps_size_and_time_is_noticed(store):
    store.run("cp -p a saved; printf new > a; touch -r saved a; rm saved", inputs={"a": b"old"})
    assert store.outputs() == {"a": b"new"}


def test_only_wanted_files_are_delivered_and_those_of_the_run_always(store):
    store.run(
        "mkdir -p out/deep logs",
        "for f in out/a.json out/deep/b.json out/c.txt logs/l results.json junk; do echo > $f; done",
        outputs=["out/**/*.json", "logs/"],
        always=["results.json"],
    )
    assert set(store.outputs()) == {"out/a.json", "out/deep/b.json", "logs/l", "results.json"}


def test_no_outputs_wanted_means_none(store):
    store.run("echo > a", outputs=[])
    assert store.outputs() == {}


def test_symbolic_links_are_followed_inside_the_run_directory_only(store, tmp_path):
    (tmp_path / "secret").write_text("outside")
    (tmp_path / "secret").chmod(0o644)
    result = store.run(
        "mkdir d; echo in > d/real; ln -s d/real inside",
        "ln -s ../../../etc/passwd relative; ln -s /etc/passwd absolute",
        f"ln -s {tmp_path}/secret outside; ln -s {tmp_path} directory; ln -s /proc/self/environ environ",
        "ln -s loop loop; ln -s nowhere dangling; ln -s d inner-directory; ln -s outside twice; ln -s . self",
    )
    assert store.outputs() == {"d/real": b"in\n", "inside": b"in\n", "inner-directory/real": b"in\n"}
    for name in ("relative", "absolute", "outside", "directory", "environ", "loop", "dangling", "twice", "self"):
        assert f"'{name}' was not delivered" in result["messages"][-1]
    assert result["reason"] is None


def test_a_run_directory_that_was_replaced_is_not_delivered_from(store, tmp_path, monkeypatch):
    """Where a step has the user of the function, as in Lambda, it can do that."""
    monkeypatch.setattr(sandbox, "step_user", lambda: None)
    (tmp_path / "secret").write_text("outside")
    for command in (f"cd ..; mv run gone; ln -s {tmp_path} run", f"cd ..; mv run gone; cp -r {tmp_path} run"):
        result = store.run(command)
        assert result["reason"]["code"] == "SYSTEM_ERROR"
        assert "its run directory was replaced" in result["reason"]["detail"]
    assert store.outputs() == {}


def test_a_directory_replaced_by_a_link_leads_nowhere(store, tmp_path):
    (tmp_path / "passwords").write_text("outside")
    store.run(f"rm -r d; ln -s {tmp_path} d", inputs={"d/passwords": b"inside"}, outputs=["d/passwords"])
    assert store.outputs() == {}


def test_pipes_sockets_and_directories_are_no_outputs(store):
    socket = "import socket; socket.socket(socket.AF_UNIX).bind('socket')"
    result = store.run(f"mkfifo pipe; $python -c {shlex.quote(socket)}; mkdir empty; echo > file")
    assert set(store.outputs()) == {"file"}
    assert "'pipe' was not delivered" in result["messages"][-1]
    assert "'socket' was not delivered" in result["messages"][-1]


def test_names_that_no_store_could_keep_are_not_delivered_and_the_others_are(store):
    result = store.run(
        "echo > \"$(printf 'new\\nline')\"; echo > 'back\\slash'; echo > \"$(printf 'latin\\344')\"",
        "echo > '${filename}'; echo > 'plain name'; echo > -n; echo > \"quote's\"; echo > 'a\"b'",
        "echo > 'ünïcödé 😀.txt'; mkdir ...; echo > .../x",
    )
    assert set(store.outputs()) == {"plain name", "-n", "quote's", 'a"b', "ünïcödé 😀.txt", ".../x"}
    notes = result["messages"][-1]
    for name in ("'new\\nline'", "'back\\\\slash'", "'latin\\udce4'", "'${filename}'"):
        assert f"{name} was not delivered" in notes
    assert result["reason"] is None


def test_names_too_long_for_a_key_are_not_delivered(store):
    dig = "import os\nfor _ in range(40):\n    os.mkdir('d' * 100)\n    os.chdir('d' * 100)\nopen('f', 'w')"
    result = store.run(f"$python -c {shlex.quote(dig)}; echo > ok")
    assert set(store.outputs()) == {"ok"}
    assert "too long" in result["messages"][-1]


def test_notes_about_many_files_are_bounded(store):
    result = store.run("i=0; while [ $i -lt 60 ]; do ln -s / l$i; i=$((i+1)); done")
    assert len(result["messages"][-1]) <= log.TAIL_CHARACTERS
    assert result["messages"][-1].endswith("and 40 more files were not delivered")


def test_locked_files_and_directories_are_delivered(store):
    store.run("mkdir -p d/e; echo x > d/e/f; echo y > g; chmod 000 g d/e/f d/e d")
    assert store.outputs() == {"d/e/f": b"x\n", "g": b"y\n"}


def test_empty_files_count_and_nothing_is_nothing(store):
    result = store.run(": > empty")
    assert store.outputs() == {"empty": b""}
    assert (result["files"], result["bytes"]) == (1, 0)
    result = store.run("true")
    assert (result["files"], result["bytes"]) == (0, 0)


def test_five_hundred_files_come_and_go(store):
    inputs = {f"in/{number}": str(number).encode() for number in range(500)}
    result = store.run("mkdir out; for f in in/*; do cp $f out/; done", inputs=inputs)
    assert (result["files"], result["reason"]) == (500, None)
    assert store.outputs() == {f"out/{number}": str(number).encode() for number in range(500)}


def test_more_files_than_allowed_are_a_reason_and_the_first_are_kept(store):
    result = store.run("for i in 1 2 3 4 5; do echo > f$i; done", limits={"files": 3})
    assert result["reason"] == {
        "code": "OUTPUT_TOO_LARGE",
        "detail": "step 's': there are more than 3 outputs",
    }
    assert set(store.outputs()) == {"f1", "f2", "f3"}


def test_more_bytes_than_allowed_are_a_reason(store):
    """Sparse files need no space while they are written, but they would be uploaded in full."""
    result = store.run("truncate -s 4000000 a b c", limits={"outputBytes": 10_000_000})
    assert result["reason"]["code"] == "OUTPUT_TOO_LARGE"
    assert set(store.outputs()) == {"a", "b"}
    assert result["bytes"] == 8_000_000


def test_a_large_input_is_not_the_fault_of_a_step_that_fails(store):
    result = store.run("exit 1", inputs={"large": bytes(3000)}, limits={"fileBytes": 2000})
    assert result["reason"]["code"] == "STEP_FAILED"


def test_a_large_file_arrives_whole_and_in_pieces(store):
    result = store.run("head -c 15000000 /dev/urandom > a; sha256sum < a > b")
    assert hashlib.sha256(store.outputs()["a"]).hexdigest().encode() in store.outputs()["b"]
    assert result["bytes"] == 15_000_000 + 68


def test_content_types_follow_from_names(store):
    store.run(
        "for f in a.json b.csv c.png d.html e.txt f.csv.gz g.ipynb h.yaml i.log j k.tar.gz L.JSON; do echo > $f; done"
    )
    types = {key.removeprefix("runs/r/files/"): value for key, value in store.types.items() if "/files/" in key}
    assert types == {
        "a.json": "application/json",
        "b.csv": "text/csv",
        "c.png": "image/png",
        "d.html": "text/html",
        "e.txt": "text/plain",
        "f.csv.gz": "application/gzip",
        "g.ipynb": "application/x-ipynb+json",
        "h.yaml": "application/yaml",
        "i.log": "text/plain",
        "j": "application/octet-stream",
        "k.tar.gz": "application/gzip",
        "L.JSON": "application/json",
    }


@pytest.mark.parametrize("outputs", [None, [], ["**"], [".flowserverless/"], [".flowserverless/context.json"]])
def test_nothing_of_the_reserved_directory_is_delivered(store, outputs):
    store.run(
        "mkdir .flowserverless; echo '{}' > .flowserverless/context.json; echo > .flowserverless/x",
        outputs=outputs,
        always=[".flowserverless/context.json"],
    )
    assert store.outputs() == {}

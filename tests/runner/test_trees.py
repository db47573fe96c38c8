"""What a step did to the run directory: told so that any number of steps leave what they leave on a real directory."""

import hashlib
import itertools
import json
import os
import pathlib
import shutil
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowserverless.domain import paths, run_directory
from runner import container, manifest, outputs, transfer
from support import runner

MOMENT = 1_700_000_000_123_456_000


def given_inputs(store, **described):
    """The inputs of a manifest with what steps see of them beside their content."""
    manifest = store.manifest(inputs={path: path.encode() for path in described})
    return [{**entry, **described[entry["path"]]} for entry in manifest["inputs"]]


def test_what_a_step_deletes_renames_and_leaves_empty_is_told(store):
    store.run(
        "rm a; mv b c; rm -r d; mkdir d; echo new > d/e; mkdir -p f/g h; rm i/j; rmdir k",
        inputs={"a": b"1", "b": b"2", "d": b"3", "i/j": b"4", "stays": b"5"},
        folders=["k", "m/n"],
    )
    tree = store.tree
    assert sorted(tree["gone"]) == ["a", "b", "d", "i/j", "k"]
    assert {path: size for path, size, _, _ in tree["written"]} == {"c": 1, "d/e": 4}
    assert sorted(tree["folders"]) == ["f/g", "h", "i", "m/n"]
    assert store.outputs() == {"c": b"2", "d/e": b"new\n"}


def test_a_fenced_step_tells_of_nothing_that_it_may_not_write(store):
    store.run(
        "rm -r code data; echo x > code; rm out/old score.json; mkdir empty",
        inputs={"code/score.py": b"1", "data/x": b"2", "out/old": b"3", "score.json": b"4"},
        folders=["spare"],
        outputs=["out/", "c*"],
        always=["score.json"],
    )
    assert sorted(store.tree["gone"]) == ["out/old", "score.json"]
    assert store.tree["folders"] == ["out"]


def test_executable_bits_and_times_come_and_go(store):
    inputs = given_inputs(
        store,
        tool={"executable": True, "modified": MOMENT},
        plain={"modified": MOMENT},
        touched={"modified": MOMENT},
        becomes={"modified": MOMENT},
        loses={"executable": True, "modified": MOMENT},
        rewritten={"modified": MOMENT},
    )
    result = run_with(
        store,
        inputs,
        "test -x tool && ! test -x plain && stat -c %.9Y tool > seen",
        "touch -d @1600000000.5 touched; chmod 700 becomes; chmod 644 loses; printf rewritten > rewritten",
        "printf '#!/bin/sh' > made; chmod +x made; touch -d @1600000001 made",
    )
    assert result["reason"] is None, result
    assert store.outputs()["seen"] == b"1700000000.123456000\n"
    written = {path: rest for path, *rest in store.tree["written"]}
    assert written["touched"] == [None, False, 1_600_000_000_500_000_000]
    assert written["becomes"] == [None, True, MOMENT]
    assert written["loses"] == [None, False, MOMENT]
    assert written["made"] == [9, True, 1_600_000_001_000_000_000]
    assert written["rewritten"][:2] == [None, False]
    assert written["rewritten"][2] > MOMENT
    assert set(written) == {"touched", "becomes", "loses", "made", "rewritten", "seen"}
    assert set(store.outputs()) == {"made", "seen"}, "what did not change is not delivered again"


def run_with(store, inputs, *commands):
    """Run a step that is given some inputs."""
    manifest = {**store.manifest(*commands), "inputs": inputs}
    return runner.perform(manifest)


@pytest.mark.parametrize("moment", [2**62, -(2**62), 2**63 - 1, 0, -1])
def test_any_time_that_a_step_gave_a_file_does_no_harm(store, moment):
    result = run_with(store, given_inputs(store, a={"modified": moment}), "cat a")
    assert (result["reason"], result["exitCode"]) == (None, 0)


def test_a_result_that_is_what_the_package_holds_is_delivered_once_it_is_written(store):
    inputs = {"results/a.json": b"1", "results/b.json": b"2", "c": b"3"}
    store.run("for f in results/a.json c; do cp $f x; cat x > $f; done; rm x", inputs=inputs, always=["results/"])
    assert store.outputs() == {"results/a.json": b"1"}


def test_folders_are_given_though_nothing_is_in_them(store):
    assert store.run("rmdir a/b && test -d c", folders=["a/b", "c"])["exitCode"] == 0
    assert (store.tree["gone"], sorted(store.tree["folders"])) == (["a/b"], ["a", "c"])


def test_the_tree_is_told_last_and_only_if_all_was_delivered(store):
    store.run("echo > a; echo > b")
    assert [key for key in store.posts if "/logs/" not in key][-1] == "runs/r/trees/000.json"
    del store.objects["runs/r/trees/000.json"]
    store.always_refused["runs/r/files/b"] = (403, "AccessDenied")
    assert store.run("echo > a; echo > b")["reason"]["code"] == "SYSTEM_ERROR"
    assert "runs/r/trees/000.json" not in store.objects


def test_a_step_whose_tree_is_refused_has_not_succeeded(store):
    store.always_refused["runs/r/trees/000.json"] = (403, "AccessDenied")
    assert store.run("echo > a")["reason"]["code"] == "SYSTEM_ERROR"


def test_a_canceled_step_tells_nothing(store):
    store.objects["runs/r/canceled"] = b""
    assert store.run("sleep 60")["reason"]["code"] == "CANCELED"
    assert "runs/r/trees/000.json" not in store.objects


def test_a_failed_step_tells_what_it_did(store):
    store.run("rm a; echo > b; exit 3", inputs={"a": b"1"})
    assert (store.tree["gone"], [path for path, *_ in store.tree["written"]]) == (["a"], ["b"])


def test_an_optional_input_that_was_never_there_is_not_gone(store):
    manifest = store.manifest("rm b", inputs={"b": b"1"})
    manifest["inputs"].append({"path": "a", "url": f"{store.url}/missing", "size": None, "optional": True})
    runner.perform(manifest)
    assert store.tree["gone"] == ["b"]


def test_a_link_to_a_folder_is_delivered_as_what_it_leads_to(store):
    result = store.run(
        "mkdir -p runs/3/plots empty; echo a > runs/3/plots/a.png; echo s > runs/3/score",
        "rmdir latest plots again runs/none",
        "ln -s runs/3 latest; ln -s runs/3/plots plots; ln -s ../empty runs/none; ln -s latest again",
        outputs=["latest/", "plots/*.png", "runs/none/", "again/score"],
    )
    assert store.outputs() == {
        "latest/plots/a.png": b"a\n",
        "latest/score": b"s\n",
        "plots/a.png": b"a\n",
        "again/score": b"s\n",
    }
    assert store.tree["folders"] == ["runs/none"]
    assert (result["reason"], result["messages"], store.tree["notes"]) == (None, [], [])


def test_links_that_cannot_be_delivered_are_named_if_something_in_them_is_wanted(store, tmp_path):
    (tmp_path / "a.png").write_text("outside")
    store.run(
        f"rmdir *; ln -s {tmp_path} plots; ln -s {tmp_path} unwanted; mkdir d; ln -s .. d/up; ln -s nowhere tables",
        outputs=["plots/*.png", "d/", "tables/"],
    )
    assert store.outputs() == {}
    named = [note.partition(" was not delivered: ") for note in store.tree["notes"]]
    assert {path: reason for path, _, reason in named} == {
        "'plots'": "it is no file of the run directory",
        "'d/up'": "it leads back to a folder that it is in",
        "'tables'": "it is no file of the run directory",
    }


def test_links_to_links_to_links_come_to_an_end(store):
    chain = "for i in 0 1 2 3 4 5 6 7 8 9; do mkdir $i; echo > $i/f; done; "
    chain += "for i in 0 1 2 3 4 5 6 7 8; do for j in a b c d; do ln -s ../$((i+1)) $i/$j; done; done"
    result = store.run(chain, limits={"files": 500})
    assert result["reason"] is None
    assert 10 < len(store.outputs()) <= 500
    assert any("links to folders lead to more than 500 files" in note for note in store.tree["notes"])


def test_names_that_cannot_be_kept_are_named_in_printable_letters(store):
    store.run(
        "mkdir 'bad\\folder' \"$(printf 'empty\\tfolder')\"; echo > 'bad\\folder/x'",
        "echo > \"$(printf 'tab\\there')\"; echo > \"$(printf 'latin\\344')\"; echo > \"$(printf 'esc\\033[31m')\"",
    )
    notes = store.tree["notes"]
    assert store.outputs() == {}
    assert all(note.isprintable() and note.isascii() for note in notes)
    for name in ("bad\\folder/x", "empty\tfolder/", "tab\there", "latin\udce4", "esc\x1b[31m"):
        assert sum(note.startswith(f"{name!r} was not delivered: ") for note in notes) == 1, (name, notes)
    assert len(notes) == 5


def test_of_a_long_name_the_beginning_is_told(store):
    store.run("mkdir -p $(printf 'é%.0s' $(seq 100)); cd é*; echo > \"$(printf '\\\\%.0s' $(seq 250))\"")
    (note,) = store.tree["notes"]
    assert len(note) < 300


def test_no_place_of_this_machine_is_in_a_reason(store, monkeypatch, tmp_path):
    manifest = store.manifest("true", inputs={"a": b"1", "a/b": b"2"})
    result = runner.perform(manifest)
    assert "could not be stored: " in result["reason"]["detail"]
    assert "/tmp" not in json.dumps(result)

    def vanish(form, key, path):
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(transfer, "post_file", vanish)
    result = store.run("echo > a")
    assert result["reason"]["detail"] == "step 's': output 'a' could not be read: No such file or directory"
    runner.replace_supervisor(monkeypatch, tmp_path, f"open({str(tmp_path / 'gone')!r})")
    result = store.run("true")
    assert "FileNotFoundError" in result["reason"]["detail"]
    assert str(tmp_path) not in json.dumps(result)


def test_a_container_keeps_executable_bits_and_tells_the_same(store):
    inputs = given_inputs(store, tool={"executable": True, "modified": MOMENT}, plain={}, gone={})
    manifest = {**store.manifest("./never; rm gone; mkdir empty; echo > made; chmod +x made"), "inputs": inputs}
    store.objects["manifest"] = json.dumps({**manifest, "folders": ["given"]}).encode()
    with store.room() as room:
        url = f"{store.url}/manifest"
        assert container.main(["fetch", url, room]) == 0
        run = pathlib.Path(room, "run")
        assert {path.name: path.stat().st_mode & 0o777 for path in run.iterdir()} == {
            "tool": 0o777,
            "plain": 0o666,
            "gone": 0o666,
            "given": 0o777,
        }
        assert (run / "tool").stat().st_mtime_ns == MOMENT
        (run / "gone").unlink()
        (run / "given").rmdir()
        (run / "empty").mkdir()
        (run / "made").write_text("x")
        (run / "made").chmod(0o755)
        pathlib.Path(room, "status").write_text("0 1\n")
        # Whatever a step makes of the notes, what it was given is known from the manifest.
        pathlib.Path(room, "before.json").write_text("{}")
        assert container.main(["deliver", url, room]) == 0
    assert sorted(store.tree["gone"]) == ["given", "gone"]
    assert store.tree["folders"] == ["empty"]
    written = {path: rest for path, *rest in store.tree["written"]}
    assert written["made"][:2] == [1, True]
    assert written["tool"][1] is True


# Any steps on one real directory, and the same steps each on what the steps before are said to have left.

NAMES = st.sampled_from(["a", "b", "a/x", "a/y", "a/x/z", "b/x", "c/d/e", "c"])
ACTS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.sampled_from([b"", b"1", b"2", b"33"]), st.integers(1, 3)),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("folder"), NAMES),
    st.tuples(st.just("mode"), NAMES, st.sampled_from([0o755, 0o644])),
    st.tuples(st.just("time"), NAMES, st.integers(1, 3)),
    st.tuples(st.just("rename"), NAMES, NAMES),
)
STEPS = st.lists(st.lists(ACTS, max_size=6), max_size=5)


with runner.Store() as _store:
    LAID_OUT = _store.manifest()


def clear(place):
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def make_room(root, path):
    for above in reversed([*pathlib.PurePath(path).parents][:-1]):
        if (root / above).is_file():
            (root / above).unlink()
        (root / above).mkdir(exist_ok=True)
    clear(root / path)


def act(root, kind, path, *more):
    place = root / path
    if kind == "write":
        content, seconds = more
        if not place.is_file():
            make_room(root, path)
        place.write_bytes(content)
        os.utime(place, ns=(0, seconds * 10**9))
    elif kind == "delete":
        if os.path.lexists(place):
            clear(place)
    elif kind == "folder":
        if not place.is_dir():
            make_room(root, path)
            place.mkdir()
    elif kind == "mode" and place.is_file():
        place.chmod(more[0])
    elif kind == "time" and place.is_file():
        os.utime(place, ns=(0, more[0] * 10**9))
    elif kind == "rename" and place.exists() and not paths.conflict(path, more[0]):
        make_room(root, more[0])
        place.rename(root / more[0])


def seen(root):
    """Files and folders below a real directory."""
    files, folders = {}, set()
    for place in root.rglob("*"):
        path = place.relative_to(root).as_posix()
        if place.is_dir():
            folders.add(path)
        else:
            status = place.stat()
            files[path] = (place.read_bytes(), bool(status.st_mode & 0o100), status.st_mtime_ns)
    return files, folders


def shown(now, store):
    """Files and folders of a state."""
    files = {path: (store[file.key], file.executable, file.modified) for path, file in now.files.items()}
    inside = [*now.files, *now.folders]
    above = {path[:index] for path in inside for index, letter in enumerate(path) if letter == "/"}
    return files, above | now.folders


def execute(root, now, store, acts, patterns=None):
    """One step on what the steps before left; its tree."""
    digests, inputs = {}, []
    for path, file in now.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(store[file.key])
        digests[path] = hashlib.sha256(store[file.key]).digest()
        entry = {"path": path, "url": "", "executable": file.executable, "modified": file.modified}
        inputs.append(entry)
        outputs.describe(str(root / path), manifest.Input(**entry, size=None, optional=False))
    for folder in now.folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    before = outputs.stamps(str(root), digests)
    for one in acts:
        act(root, *one)
    document = {**LAID_OUT, "inputs": inputs, "outputs": patterns, "folders": sorted(now.folders)}
    harvest = outputs.harvest(str(root), before, manifest.parse(document))
    for file in harvest.files:
        store[f"files/{file.path}"] = pathlib.Path(file.source).read_bytes()
    return run_directory.parse(json.loads(json.dumps(harvest.tree())), 0)


def key(path):
    return f"files/{path}"


def nothing_stored():
    raise AssertionError("every step has its tree")


def fold(now, tree, patterns=None):
    return run_directory.after(now, [run_directory.Step(patterns, tree)], key, nothing_stored)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_steps_leave_what_they_leave_on_a_real_directory(steps):
    now, store = run_directory.Directory(), {}
    with tempfile.TemporaryDirectory() as real, tempfile.TemporaryDirectory() as rooms:
        for number, acts in enumerate(steps):
            for one in acts:
                act(pathlib.Path(real), *one)
            room = pathlib.Path(rooms, str(number))
            room.mkdir()
            now = fold(now, execute(room, now, store, acts))
            assert shown(now, store) == seen(pathlib.Path(real))
            assert now.notes == ()


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTS, max_size=8), st.lists(ACTS, max_size=8), st.sampled_from([["a/"], ["a/x", "b"], ["c/**"], ["*"]]))
def test_a_fence_holds_whatever_a_step_does_and_whatever_it_says(before, acts, patterns):
    store = {}
    step = run_directory.Step(patterns, None)
    with tempfile.TemporaryDirectory() as rooms:
        one, two = pathlib.Path(rooms, "1"), pathlib.Path(rooms, "2")
        one.mkdir()
        two.mkdir()
        now = fold(run_directory.Directory(), execute(one, run_directory.Directory(), store, before))
        # As if it had no fence: the trusted side believes none of it.
        claimed = fold(now, execute(two, now, dict(store), acts), patterns)
    protected = {path: file for path, file in now.files.items() if not step.may(path)}
    assert {path: claimed.files.get(path) for path in protected} == protected
    assert all(step.may(path) for path in claimed.files.keys() - now.files.keys())
    assert all(paths.leads_to(patterns[0], one) or len(patterns) > 1 for one in claimed.folders - now.folders)
    assert not any(paths.conflict(*pair) for pair in itertools.combinations(claimed.files, 2))

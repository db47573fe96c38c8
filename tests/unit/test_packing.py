"""What `make publish` packs of a folder, and that it says what it leaves out."""

import io
import os
import pathlib
import zipfile

import pytest

from local import packing, publish


@pytest.fixture
def folder(tmp_path):
    wanted = tmp_path / "wf"
    write(wanted / "flowserv.yaml", "name: x")
    write(wanted / "code" / "score.py")
    write(tmp_path / "shared" / "truth.csv", "1")
    write(tmp_path / "shared" / "deep" / "more.csv")
    return wanted


def write(path: pathlib.Path, content="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def members(folder):
    with zipfile.ZipFile(io.BytesIO(publish.package(folder))) as archive:
        return archive.namelist()


PLAIN = ["code/score.py", "flowserv.yaml"]


def test_what_a_linked_folder_leads_to_is_packed(folder):
    (folder / "data").symlink_to("../shared")
    (folder / "again").symlink_to("code")
    (folder / "one.csv").symlink_to("../shared/truth.csv")
    assert members(folder) == [
        "again/score.py",
        "code/score.py",
        "data/deep/more.csv",
        "data/truth.csv",
        "flowserv.yaml",
        "one.csv",
    ]
    found = packing.collect(folder)
    assert found.left_out == []
    assert found.brought_in == [("data", f"a link to {folder.parent / 'shared'}")]
    assert packing.text(found) == f"  packed: data: a link to {folder.parent / 'shared'}"


def test_a_link_that_git_wrote_into_a_file_leads_where_it_says(folder):
    write(folder / "data", "../shared")
    write(folder / "note.txt", "../shared\n")
    write(folder / "other", "../nowhere")
    assert members(folder) == [
        "code/score.py",
        "data/deep/more.csv",
        "data/truth.csv",
        "flowserv.yaml",
        "note.txt",
        "other",
    ]


def test_a_cycle_of_links_is_named_and_ends(folder):
    (folder / "code" / "self").symlink_to(".")
    (folder / "code" / "up").symlink_to("..")
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    (folder / "a" / "to_b").symlink_to("../b")
    (folder / "b" / "to_a").symlink_to("../a")
    assert members(folder) == PLAIN
    cycle = "is a link to a folder that it is in"
    assert [*packing.collect(folder).left_out] == [
        ("a/to_b/to_a", cycle),
        ("b/to_a/to_b", cycle),
        ("code/self", cycle),
        ("code/up", cycle),
    ]


def test_hidden_files_are_packed(folder):
    for name in (".config/settings", ".hidden", "code/.data/.x", ".gitignore"):
        write(folder / name)
    assert members(folder) == sorted([*PLAIN, ".config/settings", ".hidden", "code/.data/.x", ".gitignore"])
    assert packing.text(packing.collect(folder)) == ""


@pytest.mark.parametrize(
    "name",
    [".git", ".DS_Store", "__pycache__", "._a", "Thumbs.db", ".venv", ".ipynb_checkpoints", ".env", ".a.swp"],
)
def test_junk_is_left_out_by_name(folder, name):
    write(folder / name)
    write(folder / "sub" / name / "x")
    assert members(folder) == PLAIN
    found = packing.collect(folder).left_out
    assert [path for path, _ in found] == [name, f"sub/{name}"]
    assert all(f"  left out: {path}: {why}" in packing.text(packing.collect(folder)) for path, why in found)


def test_what_cannot_be_packed_is_named(folder):
    (folder / "broken").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    os.close(os.open(os.fsencode(folder) + b"/bad\xff", os.O_CREAT | os.O_WRONLY))
    assert members(folder) == PLAIN
    assert packing.collect(folder).left_out == [
        ("'bad\\udcff'", "has a name that is not UTF-8"),
        ("broken", "is a link that leads nowhere"),
        ("loop", "is a link that leads nowhere"),
        ("pipe", "is neither a file nor a folder"),
    ]


def test_a_link_to_a_whole_disk_is_given_up(folder, monkeypatch):
    monkeypatch.setattr(packing, "MAX_FILES", 5)
    for n in range(6):
        write(folder.parent / "disk" / f"{n}")
    (folder / "data").symlink_to("../disk")
    with pytest.raises(packing.TooMuch, match="more than 5 files"):
        packing.collect(folder)
    monkeypatch.setattr(packing, "MAX_FILES", 100)
    (folder / "flowserv.yaml").unlink()
    monkeypatch.setattr(packing, "MAX_BYTES", 5)
    with pytest.raises(packing.TooMuch, match="the last is data/"):
        packing.collect(folder)


def test_executable_bits_and_empty_folders_are_packed(folder):
    write(folder / "run.sh")
    (folder / "run.sh").chmod(0o700)
    (folder / "plots" / "old").mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(publish.package(folder))) as archive:
        modes = {member.filename: oct(member.external_attr >> 16) for member in archive.infolist()}
    assert modes["run.sh"] == "0o100755"
    assert modes["flowserv.yaml"] == "0o100644"
    assert modes["plots/old/"] == "0o40755"
    assert "plots/" not in modes, "a folder is there for the sake of what is in it"

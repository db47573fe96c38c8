"""What root prepares on one machine for steps that are users of their own; an ordinary user prepares nothing."""

import os
import pathlib
import subprocess
import sys

import pytest

from local import reach

IS_ROOT = os.geteuid() == 0
PYTHON = pathlib.Path(sys.executable)


@pytest.fixture
def prepared(monkeypatch, tmp_path):
    """What root prepares, and what it would where somebody else runs this test."""
    monkeypatch.setattr(reach, "is_needed", lambda: True)
    if not IS_ROOT:
        monkeypatch.setattr(reach, "TOP", tmp_path / "top")


@pytest.fixture
def ordinary(monkeypatch):
    """Whoever runs this test, the stack is an ordinary user's."""
    monkeypatch.setattr(reach.os, "geteuid", lambda: 1000)


def test_steps_of_an_ordinary_user_are_told_nothing_and_stay_in_the_home(ordinary, tmp_path):
    assert reach.variables(PYTHON, tmp_path) == {}
    assert reach.temporary(tmp_path) == tmp_path / "tmp"
    (tmp_path / "tmp" / "left").touch()
    assert list(reach.temporary(tmp_path).iterdir()) == []


def test_an_ordinary_user_is_told_what_a_step_can_do(ordinary):
    assert "a step is you" in reach.open_doors()[0]


def test_anybody_may_run_the_copy_and_nobody_else_may_change_it(prepared):
    told = reach.variables(PYTHON, pathlib.Path("/srv/home"))
    program = pathlib.Path(told["STEP_PYTHON"])
    for path in (program.parent.parent, *program.parent.parent.rglob("*"), *program.parents):
        known = path.lstat()
        assert known.st_uid in (0, os.geteuid()), path
        assert path.is_symlink() or not known.st_mode & 0o022 or known.st_mode & 0o1000, path
    say = "import json, ssl, sqlite3, sys; print(sys.version_info[:3], sys.path)"
    as_nobody = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"} if IS_ROOT else {}
    said = subprocess.check_output([program, "-c", say], text=True, env=told, **as_nobody)
    assert said.startswith(str(tuple(sys.version_info[:3])))
    assert "site-packages" not in said
    assert str(reach.PROJECT) not in said.replace(str(program.parent.parent), "")
    assert told["STEP_CLOSED"].split(os.pathsep) == [str(reach.PROJECT), "/srv/home"]


def test_it_is_copied_once(prepared):
    first = reach.interpreter(PYTHON)
    made = first.stat()
    assert reach.interpreter(PYTHON) == first
    assert first.stat() == made


def test_a_copy_that_does_not_run_is_refused_and_not_kept(prepared, monkeypatch):
    monkeypatch.setattr(reach, "TRY", "import no_such_module")
    monkeypatch.setattr(reach, "_digest", lambda text: "broken" if "libraries" in text or "/lib" in text else "test")
    with pytest.raises(reach.OutOfReach, match="no_such_module"):
        reach.interpreter(PYTHON)
    assert list(reach.place().iterdir()) == []
    reach.place().rmdir()


def test_a_place_that_others_may_change_is_refused(prepared, monkeypatch):
    monkeypatch.setattr(reach, "_digest", lambda text: "open-to-others")
    reach.place().chmod(0o777)
    try:
        with pytest.raises(reach.OutOfReach, match="open-to-others is not a folder that only root may change"):
            reach.place()
    finally:
        (reach.TOP / "open-to-others").rmdir()


def test_everything_is_removed_with_the_project_and_interpreters_with_the_last(prepared, monkeypatch, tmp_path):
    monkeypatch.setattr(reach, "TOP", tmp_path / "top")
    reach.temporary(pathlib.Path("/srv/home"))
    place, copy, other = reach.place(), reach.TOP / "python-3", reach.TOP / "another project"
    copy.mkdir()
    other.mkdir()
    reach.clear()
    assert (place.exists(), copy.exists()) == (False, True)
    other.rmdir()
    reach.clear()
    assert not reach.TOP.exists()

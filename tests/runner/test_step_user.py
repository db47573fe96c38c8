"""Who a step becomes, depending on who starts it and on what an unprivileged user could reach."""

import os
import pathlib

import pytest

from runner import sandbox

IS_ROOT = os.geteuid() == 0
OWN_USER = sandbox.FIRST_USER + os.getpid()


def status_of(store):
    store.run("cp /proc/self/status status")
    return dict(line.split(":\t", 1) for line in store.outputs()["status"].decode().splitlines())


ALL = ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd")
WHO = {"nobody else": None}
if IS_ROOT:
    WHO["own user"] = OWN_USER


@pytest.fixture(params=sorted(WHO))
def step_user(request, monkeypatch):
    """Everyone that a step can be made here."""
    monkeypatch.setattr(sandbox, "step_user", lambda: WHO[request.param])
    return WHO[request.param]


def test_a_step_is_who_it_should_be_and_may_nothing_more(store, step_user):
    status = status_of(store)
    assert status["NoNewPrivs"] == "1"
    user = os.geteuid() if step_user is None else step_user
    assert status["Uid"].split() == [str(user)] * 4
    if IS_ROOT:
        assert {int(status[kind], 16) for kind in ALL} == {0}
    if step_user is not None:
        assert status["Gid"].split() == [str(user)] * 4
        assert status["Groups"].strip() == ""


def test_whoever_it_is_the_function_is_closed_to_it(store, step_user):
    store.run(
        f"for p in $PPID {os.getpid()}; do for f in environ mem maps fd/0 fd/1 auxv; do"
        " head -c 1 /proc/$p/$f && echo $p/$f >> opened; done; done; touch tried",
    )
    assert store.outputs() == {"tried": b""}


def test_a_user_of_its_own_writes_only_where_it_is_meant_to(store, step_user, tmp_path):
    (tmp_path / "mine").write_text("kept")
    result = store.run(
        f"for f in {tmp_path}/mine {tmp_path}/new ../new; do echo x > $f && echo $f >> written; done; true"
    )
    assert result["exitCode"] == 0
    is_alone = step_user is not None
    assert store.outputs().get("written", b"").count(b"\n") == (0 if is_alone else 3)
    assert (tmp_path / "mine").read_text() == ("kept" if is_alone else "x\n")


def test_what_nobody_may_pass_is_not_reachable(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for directory in (tmp_path, *tmp_path.parents):
        if not directory.stat().st_mode & 0o001:
            assert not sandbox._is_reachable(str(inner))
    assert sandbox._is_reachable("/usr/bin")
    program = tmp_path / "a" / "program"
    program.write_text("")
    assert not sandbox._is_reachable(str(program))


def test_users_that_mean_nothing_here_are_not_chosen(monkeypatch, tmp_path):
    mapped = {"uid": "0 100000 65536\n", "gid": "0 100000 1000\n100000 1 1\n"}
    real = open

    def fake(path, *arguments, **more):
        kind = pathlib.Path(path).name.removesuffix("_map")
        if kind not in mapped:
            return real(path, *arguments, **more)
        (tmp_path / kind).write_text(mapped[kind])
        return real(tmp_path / kind, *arguments, **more)

    monkeypatch.setattr("builtins.open", fake)
    assert sandbox._exists("uid", sandbox.NOBODY)
    assert not sandbox._exists("uid", OWN_USER)
    assert not sandbox._exists("gid", sandbox.NOBODY)
    assert sandbox._exists("gid", 100_000)


def test_an_ordinary_user_stays_who_it_is(monkeypatch):
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert sandbox.step_user() is None


def test_root_gives_every_step_a_user_of_its_own(monkeypatch):
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 0)
    monkeypatch.setattr(sandbox, "_exists", lambda kind, number: True)
    users = {sandbox.step_user() for _ in range(20)}
    assert len(users) == 20
    assert all(sandbox.FIRST_USER <= user < 1 << 31 for user in users)


def test_root_stays_root_only_where_there_is_nobody_else(monkeypatch):
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 0)
    monkeypatch.setattr(sandbox, "_exists", lambda kind, number: number == 0)
    assert sandbox.step_user() is None

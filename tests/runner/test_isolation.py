"""What a step does not reach on one machine, by who starts it: root, root in a container, or an ordinary user.

A container grants root no namespaces: there, modes and sweeping have to do. An ordinary user's step is that user;
what it reaches is that user's, and is said when the stack is started.
"""

import json
import os
import pathlib
import shlex
import shutil
import stat
import subprocess
import tempfile

import pytest

from local import reach
from runner import cleanup, namespaces, privileges, sandbox, seccomp
from support import runner

IS_ROOT = os.geteuid() == 0


@pytest.fixture(params=["root", "root in a container"] if IS_ROOT else ["ordinary user"])
def who(request):
    """Who starts the step; where these tests run in a container, root is in one."""
    return "root in a container" if request.param == "root" and reach.open_doors() else request.param


@pytest.fixture
def run(store, who):
    """Execute a step."""
    return store.run_as_in_a_container if who == "root in a container" else store.run


@pytest.fixture
def open_folder():
    """A folder to which every user has a way; in namespaces there is none such in /var/tmp."""
    with tempfile.TemporaryDirectory(prefix="open-", dir="/var/lib" if IS_ROOT else "/var/tmp") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def python(script):
    return f"$python -c {shlex.quote(script)}"


def test_what_is_closed_to_others_is_closed_to_a_step(store, run, who, open_folder):
    mine, private = open_folder / "mine", open_folder / "private"
    mine.write_text("secret")
    mine.chmod(0o640)
    private.mkdir(mode=0o700)
    (private / "inside").write_text("secret")
    places = ["/etc/shadow", "/root/.profile", "/root"] + ([mine, private, private / "inside"] if IS_ROOT else [])
    result = run(
        f"for f in {' '.join(map(str, places))}; do (head -c 1 $f || ls $f/) && echo $f >> opened; done; touch tried"
    )
    assert result["reason"] is None
    assert store.outputs() == {"tried": b""}, who


def test_nobody_gains_a_capability_or_another_user(store, run):
    result = run("grep -E '^(Cap(Prm|Eff|Inh|Amb)|NoNewPrivs)' /proc/self/status > status; id -u > user")
    assert result["reason"] is None
    held = dict(line.split(":\t") for line in store.outputs()["status"].decode().splitlines())
    assert held.pop("NoNewPrivs") == "1"
    assert {int(value, 16) for value in held.values()} == {0}
    assert (store.outputs()["user"].strip() == str(os.getuid()).encode()) == (not IS_ROOT)


def test_folders_that_are_to_be_closed_are_not_seen(store, run, who, open_folder, monkeypatch):
    (open_folder / "labels.csv").write_text("the solution")
    monkeypatch.setenv("STEP_CLOSED", os.pathsep.join([str(open_folder), "/no/such/folder"]))
    result = run(f"ls {open_folder} && cat {open_folder}/labels.csv > found || touch closed")
    assert result["reason"] is None
    assert set(store.outputs()) == ({"closed"} if who == "root" else {"found"})
    assert (open_folder / "labels.csv").exists()


def places_for_all():
    """Where everybody may leave files, one place of our own making with it."""
    for place in cleanup.open_to_all():
        assert stat.S_IMODE(os.stat(place).st_mode) & stat.S_IWOTH
    return {*cleanup.open_to_all(), *(place for place in cleanup.SHARED_PLACES if os.path.isdir(place))}


def test_places_in_which_everybody_may_leave_files_are_found(tmp_path):
    found = cleanup.open_to_all()
    assert "/tmp" in found
    assert not any(place.startswith(("/proc/", "/sys/")) for place in found)
    for place in ("/run/lock", "/var/crash", "/var/tmp", "/dev/shm", "/dev/mqueue"):
        if os.path.isdir(place) and os.stat(place).st_mode & stat.S_IWOTH:
            assert os.path.realpath(place) in {os.path.realpath(one) for one in found}


def test_a_user_of_its_own_leaves_nothing_anywhere(store, run, who, request):
    """A place of our own stands for those that this machine has not. What an ordinary user leaves is that user's."""
    with tempfile.TemporaryDirectory(prefix="flowserverless-test-", dir="/run" if IS_ROOT else None) as ours:
        os.chmod(ours, 0o1777)
        # As /tmp has directories that are open to all themselves.
        inner = [f"{place}/inner" for place in (ours, tempfile.mkdtemp(prefix="inner-", dir="/tmp"))]
        request.addfinalizer(lambda: shutil.rmtree(os.path.dirname(inner[1])))
        for place in (os.path.dirname(inner[1]), *inner):
            os.makedirs(place, exist_ok=True)
            os.chmod(place, 0o777)
        files = [f"{place}/left-{os.getpid()}" for place in inner]
        files += [f"{place}/left-{os.getpid()}" for place in (places_for_all() | {ours}) - set(inner)]
        result = run(f"for f in {' '.join(files)}; do mkdir $f && echo x > $f/x && echo $f >> written; done; true")
        assert result["reason"] is None
        written = store.outputs()["written"].decode().splitlines()
        left = [file for file in files if os.path.lexists(file)]
        for file in left:
            shutil.rmtree(file)
        assert left == ([] if IS_ROOT else written)
        assert f"/tmp/left-{os.getpid()}" in written, "as in Lambda"
        assert (f"{ours}/left-{os.getpid()}" in written) == (who != "root")


@pytest.fixture(params=["/tmp", "/var/tmp"])
def temporary(request):
    return request.param


@pytest.mark.parametrize("parent", [None, "/tmp", "/var/tmp"])
def test_a_step_has_temporary_directories_of_its_own_wherever_its_own_directories_are(
    store, run, who, temporary, parent, monkeypatch, request
):
    """What steps put there that run at the same time, theirs and others see elsewhere."""
    with tempfile.TemporaryDirectory(prefix="steps-", dir=parent) as folder:
        os.chmod(folder, 0o711)
        monkeypatch.setattr(tempfile, "tempdir", folder if parent else tempfile.gettempdir())
        others = pathlib.Path(temporary, f"others-{os.getpid()}")
        others.write_text("labels")
        request.addfinalizer(others.unlink)
        others.chmod(0o666)
        mine = pathlib.Path(temporary, f"mine-{os.getpid()}")
        request.addfinalizer(lambda: mine.unlink(missing_ok=True))
        write = f"echo mine > {mine} && cat {mine} && stat -c %a {temporary}"
        spy = f"cat {others} && echo x > {others}"
        assert run(f"({write} && ({spy}; true)) > said && $python -c 'import flowserv; print(1)'")["reason"] is None
    alone = who == "root"
    assert store.outputs()["said"].decode() == ("mine\n1777\n" if alone else "mine\n1777\nlabels")
    assert others.read_text() == ("labels" if alone else "x\n")
    assert mine.exists() == (not IS_ROOT)


def test_a_step_cannot_move_what_it_needs_out_of_its_temporary_directory(store, run, who, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="steps-", dir="/tmp") as folder:
        os.chmod(folder, 0o711)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        # An ordinary user may, and the function says so then.
        move = f"mv {folder} /tmp/moved-{os.getpid()} && echo moved > moved" if IS_ROOT else "true"
        assert run(f"ls -A /tmp > seen; {move}; true")["reason"] is None
    assert "moved" not in store.outputs()
    if who == "root":
        assert store.outputs()["seen"].decode().split() == [os.path.basename(folder)]


def test_interpreter_and_packages_in_a_temporary_directory_are_seen(store, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="python-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        subprocess.run([runner.PYTHON, "-m", "venv", "--without-pip", f"{folder}/venv"], check=True)
        package = pathlib.Path(folder, "layer", "packaged.py")
        package.parent.mkdir(mode=0o755)
        package.write_text("value = 42")
        monkeypatch.setenv("STEP_PYTHON", f"{folder}/venv/bin/python")
        monkeypatch.setattr(sandbox, "LAYER", str(package.parent))
        result = store.run("$python -c 'import packaged, sys; print(packaged.value, sys.prefix)' > found")
    assert result["reason"] is None
    assert store.outputs()["found"].decode() == f"42 {folder}/venv\n"


REFUSED = """
import ctypes, errno, os, platform
c = ctypes.CDLL(None, use_errno=True)
calls = {"x86_64": (248, 249, 250, 272, 56, 435, 165), "aarch64": (217, 218, 219, 97, 220, 435, 40)}[platform.machine()]
add_key, request_key, keyctl, unshare, clone, clone3, mount = calls
def says(number, *arguments):
    ctypes.set_errno(0)
    result = c.syscall(number, *(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments))
    if number == clone and result == 0:
        os._exit(0)
    return errno.errorcode.get(ctypes.get_errno(), "works")
print("add_key", says(add_key, b"user", b"flowserverless-test", b"left", 4, -4))
print("request_key", says(request_key, b"user", b"flowserverless-test", 0, -4))
print("keyctl", says(keyctl, 0, -4, 0))
for flag in (0x10000000, 0x00020000, 0x40000000, 0x10000000 | 0x200):
    print("unshare", says(unshare, flag), "clone", says(clone, flag | 17, 0, 0, 0, 0))
print("setns", c.setns(0, 0), errno.errorcode[ctypes.get_errno()])
print("clone3", says(clone3, 0, 0))
print("mount", says(mount, b"none", b"/mnt", b"tmpfs", 0, 0))
print("fsopen", says(430, b"tmpfs", 0))
print("files", says(unshare, 0x200))
"""


def test_calls_that_reach_what_nobody_counts_or_all_share_are_refused(store, run):
    """New namespaces, in which a step could mount memory, and the keyrings of its user, which outlive it."""
    assert run(f"{python(REFUSED)} > said; unshare -Ur true || echo refused >> said")["reason"] is None
    assert store.outputs()["said"].decode().splitlines() == [
        "add_key EPERM",
        "request_key EPERM",
        "keyctl EPERM",
        *["unshare EPERM clone EPERM"] * 4,
        "setns -1 EPERM",
        "clone3 ENOSYS",
        "mount EPERM",
        "fsopen EPERM",
        "files works",
        "refused",
    ]


EVERYTHING_ELSE = """
import multiprocessing, os, subprocess, threading
def answer(pipe):
    pipe.send(os.getpid())
if __name__ == "__main__":
    found = []
    threads = [threading.Thread(target=found.append, args=(number,)) for number in range(3)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    child = os.fork()
    if child == 0:
        os._exit(3)
    print(sorted(found), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(subprocess.run(["sh", "-c", "echo inner | cat"], capture_output=True, text=True).stdout.strip())
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 4"], {})
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        here, there = context.Pipe()
        process = context.Process(target=answer, args=(there,))
        process.start()
        print(here.recv() == process.pid)
        process.join()
"""


def test_threads_and_processes_work_as_ever(store, run):
    assert run("$python all.py > said", inputs={"all.py": EVERYTHING_ELSE.encode()})["reason"] is None
    assert store.outputs()["said"].decode().splitlines() == ["[0, 1, 2] 3", "inner", "4", "True", "True"]


def test_where_the_kernel_refuses_the_filter_a_step_runs_without(monkeypatch):
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "riscv64")
    assert seccomp.install() is False
    monkeypatch.undo()
    monkeypatch.setattr(seccomp, "_libc", type("Refusing", (), {"prctl": staticmethod(lambda *_: -1)}))
    assert seccomp.install() is False


SHARED_OBJECTS = """
import ctypes, json, os
c = ctypes.CDLL(None)
made = {"shm": c.shmget(0, 9, 0o600), "sem": c.semget(0, 1, 0o600), "msg": c.msgget(0, 0o600)}
seen = [str(os.getuid()) in open(f"/proc/sysvipc/{kind}").read().split() for kind in made]
print(json.dumps({"made": made, "seen": all(seen), "user": os.getuid()}))
"""


def test_objects_of_system_v_of_a_user_of_its_own_are_removed(store, run):
    assert run(f"{python(SHARED_OBJECTS)} > seen")["reason"] is None
    told = json.loads(store.outputs()["seen"])
    assert told["seen"]
    left = [(kind, number) for kind, number in cleanup._objects(told["user"]) if told["made"][kind] == number]
    for kind, number in left:
        subprocess.run(["ipcrm", {"shm": "-m", "sem": "-s", "msg": "-q"}[kind], str(number)], check=True)
    assert sorted(left) == ([] if IS_ROOT else sorted(told["made"].items()))


POOL = """
import multiprocessing, os
def answer(pipe):
    pipe.send("answered")
if __name__ == "__main__":
    here, there = multiprocessing.Pipe()
    multiprocessing.Process(target=answer, args=(there,)).start()
    print(here.recv())
    try:
        multiprocessing.Pool(2).terminate()
        print("works")
    except OSError as error:
        print(type(error).__name__)
    print(os.path.exists("/dev/shm"))
"""


def test_there_is_no_shared_memory_as_there_is_none_in_lambda(store, run, who):
    result = run(
        "$python pool.py > said; ls /dev > devices; head -c 4 /dev/urandom | wc -c", inputs={"pool.py": POOL.encode()}
    )
    assert result["reason"] is None
    said = store.outputs()["said"].decode().split()
    devices = store.outputs()["devices"].decode().split()
    if who == "root":
        assert said == ["answered", "FileNotFoundError", "False"]
        assert {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr"} <= set(devices)
        assert not {"kmsg", "shm", "mem", "mqueue"} & set(devices)
    else:
        assert said == [
            "answered",
            "works" if os.access("/dev/shm", os.W_OK) else "FileNotFoundError",
            str(os.path.isdir("/dev/shm")),
        ]


CONNECT = """
import json, socket, sys
def reaches(place):
    try:
        return bool(socket.create_connection(place, 3).close() or True)
    except OSError:
        return False
with socket.socket() as own:
    own.bind(("127.0.0.1", 0))
    own.listen()
    print(json.dumps({"own": reaches(own.getsockname()), "others": reaches(("127.0.0.1", int(sys.argv[1])))}))
"""


def test_a_step_has_a_network_of_its_own_only(store, run, who):
    """The emulator, whose root key everybody knows, listens on this machine, and other services do."""
    result = run(f"{python(CONNECT)} {store.server_address[1]} > reached")
    assert result["reason"] is None
    assert json.loads(store.outputs()["reached"]) == {"own": True, "others": who != "root"}


def test_what_is_open_is_told_before_a_step_starts(who):
    give_up = None
    if who == "root in a container":
        libc = runner.ctypes.CDLL(None)

        def give_up():
            libc.prctl(privileges.PR_CAPBSET_DROP, runner.CAP_SYS_ADMIN, 0, 0, 0)

    command = [runner.sys.executable, "-I", runner.FOLDER / "runner" / "namespaces.py"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=give_up).stdout
    assert said.splitlines() == ([] if who == "root" else [namespaces.NETWORK, namespaces.FILES])


@pytest.mark.parametrize("what", ["interpreter", "directory"])
def test_a_step_whose_user_could_not_reach_what_it_needs_is_not_started(store, what, monkeypatch, open_folder):
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    if what == "interpreter":
        (closed / "python").symlink_to(runner.PYTHON)
        monkeypatch.setenv("STEP_PYTHON", str(closed / "python"))
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(closed))
    result = store.run("touch started")
    assert (result["reason"] is None) == (not IS_ROOT)
    if IS_ROOT:
        assert result["reason"]["code"] == "SYSTEM_ERROR"
        assert "step 's' was not started: its user has no way to" in result["reason"]["detail"]
        assert str(closed) in result["reason"]["detail"]
        assert store.outputs() == {}


def test_packages_out_of_reach_are_copied_to_where_the_step_can_read_them(store, run, open_folder, monkeypatch):
    closed = open_folder / "closed"
    (closed / "python" / "inner").mkdir(parents=True)
    (closed / "python" / "inner" / "__init__.py").write_text("value = 42")
    for path in (closed, closed / "python", closed / "python" / "inner"):
        path.chmod(0o700)
    (closed / "python" / "inner" / "__init__.py").chmod(0o600)
    monkeypatch.setattr(sandbox, "LAYER", str(closed / "python"))
    change = "echo 'value = 1' > $(dirname $(printenv PYTHONPATH | cut -d: -f1))/python/inner/__init__.py; true"
    result = store.run("$python -c 'import inner; print(inner.value)' > found", change)
    assert result["reason"] is None
    assert store.outputs()["found"] == b"42\n"

"""Steps that attack: each is published as a workflow and run on the deployed stack, and says what it found.

What the emulator does not enforce (tenant isolation) is checked in the template by tests/contract/test_template.py.
Everything a step sends goes to this machine.
"""

import base64
import contextlib
import json
import os
import pathlib
import tempfile
import urllib.parse
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import botocore.config
import botocore.exceptions
import botocore.session
import pytest

from local import emulator, reach, stack
from support import http, processes

LIMITS = {
    "StepMemory": "512",
    "StepProcesses": "40",
    "StepSeconds": "20",
    "FileBytes": "20000000",
    "OutputBytes": "30000000",
    "LogBytes": "20000",
    "MaxActiveRuns": "50",
}
PARAMETERS = [
    {"name": "text", "dtype": "string", "defaultValue": ""},
    {"name": "given", "dtype": "file", "target": "in/given", "isRequired": False},
]
CONTEXT = {"text": "$[[text]]", "given": "in/given"}

LEFT = ("/run/lock", "/var/crash", "/var/mail", "/dev/shm", "/dev/mqueue", "/var/tmp", "/tmp")
LOOK_FOR_CREDENTIALS = """\
import glob, json, os
found = {'own': sorted(name for name in os.environ if name.startswith(('AWS_', '_AWS', 'LAMBDA_', '_HANDLER')))}
keys = set()
for path in glob.glob('/proc/*/environ'):
    try:
        environ = dict(part.split('=', 1) for part in open(path, errors='replace').read().split('\\0') if '=' in part)
    except OSError:
        continue
    if environ.get('AWS_ACCESS_KEY_ID'):
        names = ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN')
        keys.add(tuple(environ.get(name, '') for name in names))
found['keys'] = sorted(keys)
json.dump(found, open('found.json', 'w'))
"""
LOOK_AROUND = """\
import json, os, socket, sys, urllib.parse, urllib.request
endpoint, *places = os.environ['text'].split()
found = {'read': [], 'left': [], 'reached': []}
for place in ['/etc/shadow', '/root', *places]:
    try:
        os.listdir(place) if os.path.isdir(place) else open(place).close()
        found['read'].append(place)
    except OSError:
        pass
for folder, folders, files in os.walk('/'):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ('/proc', '/sys')]
    found['read'] += [os.path.join(folder, name) for name in files if name.startswith('solution-')]
for place in ('/run/lock', '/var/crash', '/var/mail', '/dev/shm', '/dev/mqueue', '/var/tmp', '/tmp'):
    try:
        open(os.path.join(place, os.environ['mark']), 'w').close()
        found['left'].append(place)
    except OSError:
        pass
for url in [endpoint + '/_ministack/health'] if endpoint != 'None' else []:
    try:
        urllib.request.urlopen(url, timeout=5).close()
        found['reached'].append(url)
    except OSError:
        pass
found['shared'] = os.path.exists('/dev/shm')
found['capabilities'] = [line.split()[1] for line in open('/proc/self/status') if line.startswith('Cap')][:4]
json.dump(found, open('found.json', 'w'))
"""


@pytest.fixture(scope="module")
def bounded(deploy: Callable[..., stack.Stack]) -> stack.Stack:
    """A stack whose steps have little of everything, so that attacks on limits are short."""
    return deploy("bounded", LIMITS)


@pytest.fixture(scope="module")
def eve(bounded: stack.Stack) -> http.Visitor:
    """A user who means harm."""
    return http.register(http.Visitor(bounded.api_url))


@pytest.fixture(scope="module")
def apart(bounded: stack.Stack) -> bool:
    """Whether steps are somebody else than all around them: in AWS, and where root can give them a user of their own.

    Elsewhere they are the user who started the stack, and can do to other processes and shared places what that
    user can, as sandbox.py says; what is theirs alone is kept from others there too.
    """
    return bounded.endpoint_url is None or os.geteuid() == 0


class Attack:
    """A workflow of one step, run once; what came of it."""

    def __init__(
        self, bounded: stack.Stack, eve: http.Visitor, *commands: str, outputs: list[str], **arguments: Any
    ) -> None:
        template = {
            "workflow": {
                "parameters": CONTEXT,
                "steps": [http.step("attack", *commands)],
                "files": {"outputs": outputs},
            },
            "parameters": PARAMETERS,
        }
        self.eve = eve
        self.workflow = http.publish(bounded, template, look_dot_py=LOOK_FOR_CREDENTIALS)
        self.group = eve.group(self.workflow)
        self.run = eve.start(self.group, **arguments)

    def ended(self) -> Any:
        """The run's handle."""
        return self.eve.finished(self.run, 90)

    def file(self, name: str) -> bytes:
        """A file that the step left."""
        (found,) = (file for file in self.ended()["files"] if file["name"] == name)
        return self.eve.follow(f"runs/{self.run}/downloads/files/{found['id']}").body


def test_a_step_finds_no_credentials_that_open_anything(bounded: stack.Stack, eve: http.Visitor, apart: bool) -> None:
    attack = Attack(bounded, eve, "${python} look.py", outputs=["found.json"])
    found = json.loads(attack.file("found.json"))
    assert found["own"] == []
    if apart:
        assert [name for keys in found["keys"] for name in granted(bounded, *keys)] == []


def granted(bounded: stack.Stack, key: str, secret: str, token: str) -> list[str]:
    """What these keys open: a step's own Python may lack what it takes to try."""

    def client(service: str) -> Any:
        return botocore.session.get_session().create_client(
            service,
            region_name="us-east-1",
            endpoint_url=bounded.endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token or None,
            config=botocore.config.Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=5),
        )

    known = {"pk": {"S": "CATALOGUE"}, "sk": {"S": "x"}}
    tries: dict[str, Callable[[], Any]] = {
        "s3:ListBucket": lambda: client("s3").list_objects_v2(Bucket=bounded.bucket),
        "s3:PutObject": lambda: client("s3").put_object(Bucket=bounded.bucket, Key="stolen", Body=b""),
        "dynamodb:Scan": lambda: client("dynamodb").scan(TableName=bounded.table),
        "dynamodb:GetItem": lambda: client("dynamodb").get_item(TableName=bounded.table, Key=known),
        "states:ListStateMachines": lambda: client("stepfunctions").list_state_machines(),
    }
    opened = []
    for name, attempt in tries.items():
        with contextlib.suppress(botocore.exceptions.ClientError):
            attempt()
            opened.append(name)
    return opened


def test_a_step_finds_nothing_of_the_machine_around_it(bounded: stack.Stack, eve: http.Visitor, apart: bool) -> None:
    """Buckets lie in a folder of the emulator, whose root key everybody knows; and both are on this machine."""
    mark = uuid.uuid4().hex
    template = {
        "workflow": {
            "parameters": {"text": "$[[text]]", "mark": mark},
            "steps": [http.step("look", "${python} look.py", files={"inputs": ["look.py"], "outputs": ["found.json"]})],
        },
        "parameters": PARAMETERS,
    }
    workflow = http.publish(bounded, template, look_dot_py=LOOK_AROUND)
    folders = [emulator.PROJECT, emulator.STATE, emulator.STATE / "stack.json", emulator.STATE / "aws.env"]
    with tempfile.NamedTemporaryFile(prefix="solution-", dir=emulator.STATE) as solution:
        os.chmod(solution.name, 0o644)
        run = eve.start(eve.group(workflow), text=" ".join(map(str, (bounded.endpoint_url, *folders))))
        ended = eve.finished(run, 120)
    assert ended["state"] == "SUCCESS", ended
    (file,) = ended["files"]
    found = json.loads(eve.follow(f"runs/{run}/downloads/files/{file['id']}").body)
    assert {int(held, 16) for held in found["capabilities"]} == {0}
    assert {"/etc/shadow", "/root"}.isdisjoint(found["read"])
    assert [place for place in LEFT if os.path.exists(f"{place}/{mark}")] == [] or not apart
    if apart and not reach.open_doors():
        assert (found["read"], found["reached"], found["shared"]) == ([], [], False)
        assert set(found["left"]) <= {"/tmp", "/var/tmp"}
    elif apart:
        assert set(found["read"]) <= {str(emulator.PROJECT)}
    else:
        assert reach.open_doors(), "what is open is said"
        for place in LEFT:
            pathlib.Path(place, mark).unlink(missing_ok=True)


@pytest.mark.parametrize(
    "text",
    [
        '"; touch injected; echo "',
        "$(touch injected)",
        "`touch injected`",
        "line one\nline two; touch injected",
        "' && touch injected && '",
        "ü" * 50_000,
    ],
    ids=["quote", "substitution", "backtick", "newline", "single quote", "100 kB"],
)
def test_an_argument_is_data(bounded: stack.Stack, eve: http.Visitor, text: str) -> None:
    attack = Attack(
        bounded,
        eve,
        'printf %s "${text}" > echo.txt',
        "ls -a > listing.txt",
        outputs=["echo.txt", "listing.txt"],
        text=text,
    )
    assert attack.file("echo.txt").decode() == text
    assert "injected" not in attack.file("listing.txt").decode()


INJECTIONS = [
    '"; touch injected; echo "',
    "$(touch injected)",
    "`touch injected`",
    "x' && touch injected && 'x",
    "a\nb; touch injected",
]
KINDS: dict[str, Any] = {
    "workflow": {
        "parameters": {"texts": "$[[texts]]", "pair": "$[[pair]]", "choice": "$[[choice]]", "given": "$[[given]]"},
        "steps": [
            http.step(
                "attack",
                'for name in texts pair choice; do eval "printf %s \\"\\${$name}\\"" > "$name.txt"; done',
                'printf %s "${given}" > given.txt; cat "${given}" > content.txt; ls -aR . > listing.txt',
            )
        ],
        "files": {"outputs": ["*.txt"]},
    },
    "parameters": [
        {"name": "texts", "dtype": "list", "para": {"name": "text", "dtype": "string"}},
        {"name": "pair", "dtype": "record", "fields": [{"name": "one", "dtype": "string"}]},
        {"name": "choice", "dtype": "select", "values": [{"name": text, "value": text} for text in INJECTIONS]},
        {"name": "given", "dtype": "file"},
    ],
}


def test_every_kind_of_argument_is_data(bounded: stack.Stack, eve: http.Visitor) -> None:
    workflow = http.publish(bounded, KINDS)
    group = eve.group(workflow)
    name = "$(touch injected)`touch injected`;'touch injected'"
    upload = eve.upload(group, name, b"content")
    file = {"type": "$file", "value": {"fileId": upload, "targetPath": f"in/{name}"}}
    pair = [{"name": "one", "value": INJECTIONS[0]}]
    run = eve.start(group, texts=INJECTIONS, pair=pair, choice=INJECTIONS[1], given=file)
    ended = eve.finished(run)
    assert ended["state"] == "SUCCESS", ended
    found = {one["name"]: eve.follow(f"runs/{run}/downloads/files/{one['id']}").body.decode() for one in ended["files"]}
    assert json.loads(found["texts.txt"]) == INJECTIONS
    assert json.loads(found["pair.txt"]) == {"one": INJECTIONS[0]}
    assert (found["choice.txt"], found["content.txt"]) == (INJECTIONS[1], "content")
    assert found["given.txt"].endswith(f"in/{name}")
    assert "injected" not in found["listing.txt"].replace(name, "")


@pytest.mark.parametrize(
    "place", ["../../escaped", "/etc/passwd", "out/../../x", "..", "out/\x00", ".flowserverless/x"]
)
def test_an_output_outside_the_run_directory_is_refused(bounded: stack.Stack, place: str) -> None:
    template = {"workflow": {"steps": [http.step("attack", "true")]}, "outputs": [{"source": place}]}
    report = http.drop(bounded, f"w{uuid.uuid4().hex[:8]}", http.package(template))
    assert report["status"] == "rejected", report
    assert any("outputs[0]" in fault["place"] for fault in report["faults"]), report


def test_a_target_does_not_leave_the_run_directory(bounded: stack.Stack, eve: http.Visitor) -> None:
    attack = Attack(bounded, eve, "true", outputs=[])
    upload = eve.upload(attack.group, "../../x", b"x")
    for target in ("../../escaped", "/etc/escaped", "in/../../escaped", ".flowserverless/context.json", "a\\..\\b"):
        value = {"type": "$file", "value": {"fileId": upload, "targetPath": target}}
        refused = eve.call("POST", f"groups/{attack.group}/runs", {"arguments": [{"name": "given", "value": value}]})
        assert refused.status == 400, (target, refused.body)


def test_an_upload_lands_beside_neither_solution_nor_scoring_program(bounded: stack.Stack, eve: http.Visitor) -> None:
    attack = Attack(bounded, eve, "mkdir -p out && ls -R > out/listing.txt", outputs=["out/"])
    upload = eve.upload(attack.group, "part0.csv", b"x")
    for target in ("truth/part0.csv", "code/json.py", "GNUmakefile", "in/given.py"):
        value = {"type": "$file", "value": {"fileId": upload, "targetPath": target}}
        refused = eve.call("POST", f"groups/{attack.group}/runs", {"arguments": [{"name": "given", "value": value}]})
        assert (refused.status, refused.json["code"]) == (400, "INVALID_ARGUMENTS"), (target, refused.body)


def test_a_symbolic_link_is_not_followed_out(bounded: stack.Stack, eve: http.Visitor) -> None:
    attack = Attack(
        bounded,
        eve,
        "mkdir -p out",
        "ln -s /etc/passwd out/link; ln -s /etc out/dir; echo fine > out/file",
        outputs=["out/"],
    )
    assert [file["name"] for file in attack.ended()["files"]] == ["out/file"]


def test_a_fork_bomb_is_bounded(bounded: stack.Stack, eve: http.Visitor) -> None:
    marker = f"bomb{uuid.uuid4().hex}"
    bomb = (
        f"i=0; while [ $i -lt 200 ]; do i=$((i+1)); ${{python}} -c 'import time; time.sleep(20)' {marker} & done; wait"
    )
    run = Attack(bounded, eve, bomb, outputs=[]).ended()
    assert len(processes.alive(marker)) == 0
    assert run["state"] in ("ERROR", "SUCCESS")


def test_a_memory_hog_ends_with_a_reason(bounded: stack.Stack, eve: http.Visitor) -> None:
    hog = "${python} -c 'x = [bytearray(1 << 20) for _ in range(1000)]; import time; time.sleep(15)'"
    run = Attack(bounded, eve, hog, outputs=[]).ended()
    assert run["state"] == "ERROR"
    assert run["reason"]["code"] in ("OUT_OF_MEMORY", "STEP_FAILED"), run["reason"]
    assert run["reason"]["code"] == "OUT_OF_MEMORY" or any("MemoryError" in text for text in run["messages"])


def test_a_huge_file_is_refused(bounded: stack.Stack, eve: http.Visitor) -> None:
    run = Attack(bounded, eve, "head -c 100000000 /dev/zero > huge", outputs=["huge"]).ended()
    assert run["state"] == "ERROR"
    assert all(file["size"] <= 20_000_000 for file in run["files"])


def test_endless_output_is_bounded(bounded: stack.Stack, eve: http.Visitor) -> None:
    attack = Attack(bounded, eve, "head -c 50000000 /dev/zero | tr '\\0' x", outputs=[])
    assert attack.ended()["state"] == "SUCCESS"
    log = eve.follow(f"runs/{attack.run}/logs")
    assert 0 < len(log.body) < 60_000


def test_a_step_that_takes_too_long_times_out(bounded: stack.Stack, eve: http.Visitor) -> None:
    run = Attack(bounded, eve, "trap '' TERM; while :; do sleep 1; done", outputs=[]).ended()
    assert (run["state"], run["reason"]["code"]) == ("ERROR", "TIMEOUT")


def test_nothing_outlives_its_step_or_is_left_for_the_next(
    bounded: stack.Stack, eve: http.Visitor, apart: bool
) -> None:
    marker = f"lodger{uuid.uuid4().hex}"
    stay = f"setsid ${{python}} -c 'import time; time.sleep(300)' {marker} > /dev/null 2>&1 &"
    places = ["$TMPDIR", "/tmp"] if apart else ["$TMPDIR"]
    leave = "; ".join(f'echo secret > "{place}/{marker}" || true' for place in places) + "; exec >&-"
    assert Attack(bounded, eve, stay, leave, outputs=[]).ended()["state"] == "SUCCESS"
    assert processes.alive(marker) == []
    next_one = Attack(
        bounded,
        eve,
        f'ls -a . "$TMPDIR" /tmp > seen.txt; ls /tmp | grep -c {marker} >> seen.txt || true',
        outputs=["seen.txt"],
    )
    assert marker not in next_one.file("seen.txt").decode()


def test_the_signed_form_is_for_this_run_only(bounded: stack.Stack, eve: http.Visitor) -> None:
    attack = Attack(bounded, eve, "true", outputs=[])
    attack.ended()
    s3 = bounded.client("s3")
    key = f"runs/{attack.run}/manifests/000.json"
    form = json.load(s3.get_object(Bucket=bounded.bucket, Key=key)["Body"])["upload"]
    assert post(form, f"runs/{attack.run}/files/more.txt", b"x") == 204
    for elsewhere in (
        "runs/other/files/x",
        "uploads/g/x",
        f"runs/{attack.run}/archive.tar.gz",
        "inbox/workflows/x.zip",
    ):
        assert post(form, elsewhere, b"x") == 403
    assert post(form, f"runs/{attack.run}/files/huge", b"x" * 30_000_001) == 400
    late = s3.generate_presigned_post(bounded.bucket, f"runs/{attack.run}/files/late", ExpiresIn=-5)
    assert post(late, f"runs/{attack.run}/files/late", b"x") == 403
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    expires = datetime.fromisoformat(policy["expiration"].replace("Z", "+00:00"))
    assert (expires - datetime.now(UTC)).total_seconds() < 20 + 900


def post(form: dict[str, Any], key: str, content: bytes) -> int:
    """Post a file with a signed form under a key of one's own choice; S3's status."""
    boundary = uuid.uuid4().hex
    fields = {**form["fields"], "key": key, "Content-Type": "text/plain"}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    last = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    body = "".join([*parts, last]).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    url = urllib.parse.urlsplit(form["url"]).geturl()
    return http.request("POST", url, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}).status


@pytest.mark.parametrize("member", ["../escaped.txt", "/etc/escaped", "a/../../escaped", "C:\\escaped"])
def test_a_package_with_a_climbing_member_is_refused(bounded: stack.Stack, member: str) -> None:
    import io
    import zipfile

    buffer = io.BytesIO(http.package({"workflow": {"steps": [http.step("s", "true")]}}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(member, "x")
    name = f"w{uuid.uuid4().hex[:8]}"
    report = http.drop(bounded, name, buffer.getvalue())
    assert report["status"] == "rejected", report
    listed = bounded.client("s3").list_objects_v2(Bucket=bounded.bucket, Prefix=f"workflows/{name}/")
    assert listed["KeyCount"] == 0

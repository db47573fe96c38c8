"""What a cold start costs before the handler is called: the CPU time that importing each operation takes.

One figure is user and system time of a fresh child process that imports `functions/<operation>/app.py`, less that of a
child that imports nothing. It is divided by the same figure for a child that imports `pynamodb.models` alone: that is
botocore's and PynamoDB's share, which nobody who talks to DynamoDB gets around. On the path is what a function has in
Lambda and nothing else that is installed here: botocore makes use of more packages where it finds them. All run in turn
in one go, one child at a time, with byte code on disk as the layers ship it, and each is compared with the neighbours
that it ran beside; what is printed is the median. Time on the clock would tell more of this machine than of the code.

Two operations that load the same may differ by a tenth: how deeply imports are nested decides whether CPython's stack
of frames ends where a hot loop calls, which then gets and gives back memory with every call (`strace -c -e munmap`).

Below the table stands where the time goes in one operation, by `python -X importtime`: `make bench PART=imports
OPERATION=list_runs` chooses which.
"""

from __future__ import annotations

import collections
import concurrent.futures
import importlib.metadata
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from local import emulator, template

FUNCTIONS = emulator.PROJECT / "functions"
LAYERS = emulator.PROJECT / "layers"
BROUGHT_BY_LAMBDA = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")
BASELINE = "pynamodb.models"
NOTHING = "sys"
ROUNDS = 5
# After how many operations the baseline is measured again: the machine may grow slower while this runs.
AGAIN = 4
GOALS = {"reads": 1.9, "called by machines": 1.5}
EXPLAINED = "get_run"
MOST_LINES = 16


@dataclass
class Import:
    """A module, what is on the path of who imports it, and the CPU milliseconds of each child that did."""

    name: str
    module: str
    path: Sequence[pathlib.Path]
    times: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def measure(self) -> float:
        """Import it once more."""
        self.times.append(self.cpu_milliseconds())
        return self.times[-1]

    def cpu_milliseconds(self) -> float:
        """User and system time of one child process that imports it."""
        arguments = self.command()
        child = os.posix_spawn(arguments[0], arguments, self.environment())
        _, status, used = os.wait4(child, 0)
        if status:
            sys.exit(f"{self.name} could not be imported")
        return (used.ru_utime + used.ru_stime) * 1000

    def command(self, *options: str) -> list[str]:
        """What imports it in a child process, without what is installed here, and ends before Python tidies up."""
        return [sys.executable, "-S", *options, "-c", f"import os, {self.module}; os._exit(0)"]

    def environment(self) -> dict[str, str]:
        """What Lambda gives a function and importing looks at; nothing of the caller's."""
        return {
            "PYTHONPATH": os.pathsep.join(map(str, self.path)),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_DEFAULT_REGION": emulator.REGION,
            "TABLE_NAME": "table",
            "BUCKET_NAME": "bucket",
        }


def main() -> None:
    """Measure, print the table, and show where the time goes in one operation."""
    explained = os.environ.get("OPERATION") or EXPLAINED
    if not (FUNCTIONS / explained / "app.py").exists():
        sys.exit(f"no operation called {explained}")
    with tempfile.TemporaryDirectory(prefix="imports-") as folder:
        home = pathlib.Path(folder)
        _link(home / "runtime", BROUGHT_BY_LAMBDA)
        layers, with_tokens = _layers(home, "dependencies"), _layers(home, "dependencies", "tokens")
        (empty := home / "function").mkdir()
        nothing = Import("nothing", NOTHING, _path_of(empty, layers))
        baseline = Import(BASELINE, BASELINE, _path_of(empty, layers))
        operations = [
            Import(name, "app", _path_of(FUNCTIONS / name, with_tokens if "TokensLayer" in str(function) else layers))
            for name, function in sorted(_declared().items())
        ]
        measure(operations, nothing, baseline)
        report(operations, nothing, baseline)
        explain(next(one for one in operations if one.name == explained))


def _declared() -> dict[str, Any]:
    """The functions of the template by their folders."""
    functions = template.resources("AWS::Serverless::Function").values()
    return {properties["CodeUri"].rpartition("/")[2]: properties for properties in functions}


def _path_of(function: pathlib.Path, opt: pathlib.Path) -> list[pathlib.Path]:
    """The folders in which Lambda looks for what a function imports: its own, that of all its layers, its runtime's."""
    return [function, opt, opt.parent / "runtime"]


def _layers(folder: pathlib.Path, *names: str) -> pathlib.Path:
    """A folder with what layers hold, ours among them; beside it one with what Lambda brings along."""
    opt = folder / "-".join(names)
    for name in names:
        lock = (LAYERS / name / "requirements.lock").read_text("utf-8")
        _link(opt, re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    (opt / "flowserverless").symlink_to(LAYERS / "flowserverless" / "flowserverless")
    return opt


def _link(folder: pathlib.Path, projects: Iterable[str]) -> None:
    """Have in a folder what is installed here of some projects."""
    folder.mkdir(exist_ok=True)
    for project in projects:
        distribution = importlib.metadata.distribution(project)
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (folder / name).symlink_to(str(distribution.locate_file(name)))


def measure(operations: Sequence[Import], nothing: Import, baseline: Import) -> None:
    """Measure all of them in turn, the two that everything is compared with more often."""
    # Once unmeasured, which writes the byte code.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(Import.cpu_milliseconds, [*operations, nothing, baseline]))
    for _ in range(ROUNDS):
        for number, one in enumerate(operations):
            if number % AGAIN == 0:
                interpreter, base = nothing.measure(), baseline.measure()
            one.ratios.append((one.measure() - interpreter) / (base - interpreter))


def kind(operation: str) -> str:
    """Whether an operation reads, changes something, or is called by machines: it has no route in the template."""
    events = _declared()[operation].get("Events", {}).values()
    methods = {event["Properties"]["Method"] for event in events if event["Type"] == "Api"}
    if not methods:
        return "called by machines"
    return "reads" if methods <= {"GET", "HEAD"} else "changes"


def report(operations: Sequence[Import], nothing: Import, baseline: Import) -> None:
    """Print the table, the dearest first, and what misses its goal."""
    interpreter = statistics.median(nothing.times)
    whole = statistics.median(baseline.times) - interpreter
    print(f"1.00 x is {BASELINE} alone: {whole:.0f} ms of CPU; the interpreter's {interpreter:.0f} ms count nowhere")
    print(f"{'operation':24} {'ms':>6} {'x':>6}  {'goal':5} kind")
    missed = []
    for one in sorted(operations, key=lambda one: -statistics.median(one.ratios)):
        milliseconds, ratio = statistics.median(one.times) - interpreter, statistics.median(one.ratios)
        goal = GOALS.get(kind(one.name))
        over = goal is not None and ratio > goal
        missed += [one.name] if over else []
        wanted = f"{goal:.1f}" if goal else ""
        print(f"{one.name:24} {milliseconds:6.0f} {ratio:6.2f}{'!' if over else ' '} {wanted:5} {kind(one.name)}")
    print(f"above their goal (!): {', '.join(missed) or 'none'}")


def explain(operation: Import) -> None:
    """Print which packages and modules the time goes to, each without those that it imports."""
    own = dict(own_times(operation))
    packages: collections.Counter[str] = collections.Counter()
    for module, share in own.items():
        packages[module.partition(".")[0]] += share
    total = sum(own.values())
    print(f"\n{operation.name} imports {len(own)} modules; the share of the time that each takes by itself")
    for title, shares in (("packages", packages), ("modules", collections.Counter(own))):
        print(title)
        for name, share in shares.most_common(MOST_LINES):
            print(f"  {share / total:6.1%}  {name}")


def own_times(operation: Import) -> Iterator[tuple[str, int]]:
    """Each module that an operation loads, and its own microseconds."""
    command, environment = operation.command("-X", "importtime"), operation.environment()
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stderr
    for line in said.splitlines():
        microseconds, _, module = (part.strip() for part in line.removeprefix("import time:").split("|"))
        if microseconds.isdigit():
            yield module, int(microseconds)

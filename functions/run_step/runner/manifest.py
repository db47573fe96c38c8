"""Parses the manifest of a step, the JSON that a trusted function wrote, into a step order with types.

A manifest is JSON. It names the commands, every input with a presigned URL, one presigned POST for everything that is
uploaded, and the limits. Nobody but the trusted side writes it, so a malformed one is an error of this
installation (`KeyError`, `TypeError` or `ValueError`), not of the user.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Bounds of one step, in bytes and seconds.

    `seconds` is wall-clock time of all commands together, `cpu_seconds` the processor time of any single process.
    `output_bytes` bounds what the step adds to its directories and what is delivered, `files` how many files.
    `set_by` says of the members of the manifest who sets them.
    """

    seconds: float
    memory_bytes: int
    output_bytes: int
    file_bytes: int
    log_bytes: int
    processes: int
    open_files: int
    cpu_seconds: int
    files: int = 10_000
    set_by: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def why(self, member: str) -> str:
        """Who sets a limit, as the end of a sentence; empty where the manifest does not say."""
        return f": {self.set_by[member]}" if member in self.set_by else ""


@dataclass(frozen=True)
class Input:
    """A file that is fetched to `path` in the run directory; an optional one may be missing in the store.

    `sha256` (hex) is known of files that a group uploaded. `modified` is in nanoseconds since 1970; None is the moment
    when it is fetched.
    """

    path: str
    url: str
    size: int | None
    optional: bool
    sha256: str | None = None
    executable: bool = False
    modified: int | None = None


@dataclass(frozen=True)
class Earlier:
    """What the function of an earlier step returned: the name that the step declares, and where the value is."""

    name: str
    url: str


@dataclass(frozen=True)
class Form:
    """A presigned POST: where to send a file, and the fields that go with it.

    `key` is the key of the object; for outputs the prefix that their paths are appended to.
    """

    url: str
    fields: Mapping[str, str]
    key: str


@dataclass(frozen=True)
class StepOrder:
    """Everything about one step.

    `variables` is what commands get. `values` is the same as JSON values where the trusted side knows them, and
    what functions and notebooks are called with. `folders` are given though no input is in them. `earlier` has what
    earlier functions returned; `result` is the form for what this step's function returns, and only a code step that
    declares a name for it has one. `tree` is the form for what the step did to the directory, `outcome` that for how it
    went, for jobs only.
    """

    run: str
    step: int
    name: str
    kind: str
    commands: tuple[str, ...]
    variables: Mapping[str, str]
    values: Mapping[str, Any]
    code: Mapping[str, Any] | None
    notebook: Mapping[str, Any] | None
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...] | None
    always: tuple[str, ...]
    upload: Form
    log: Form
    cancel_url: str | None
    limits: Limits
    folders: tuple[str, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    result: Form | None = None
    tree: Form | None = None
    outcome: Form | None = None


def parse(document: Mapping[str, Any]) -> StepOrder:
    """The step order that a JSON document holds; unknown members are ignored."""
    limits, outputs = document["limits"], document.get("outputs")
    return StepOrder(
        run=str(document["run"]),
        step=int(document["step"]),
        name=str(document.get("name") or document["step"]),
        kind=str(document["kind"]),
        commands=tuple(document.get("commands") or ()),
        variables=dict(document.get("variables") or {}),
        values=dict(document.get("values") or {}),
        code=document.get("code"),
        notebook=document.get("notebook"),
        inputs=tuple(map(_input, document["inputs"])),
        outputs=None if outputs is None else tuple(outputs),
        always=tuple(document.get("always") or ()),
        upload=_form(document["upload"], document["upload"]["prefix"]),
        log=_form(document["log"], document["log"]["key"]),
        cancel_url=document.get("cancelUrl"),
        limits=Limits(
            seconds=float(limits["seconds"]),
            memory_bytes=int(limits["memoryBytes"]),
            output_bytes=int(limits["outputBytes"]),
            file_bytes=int(limits["fileBytes"]),
            log_bytes=int(limits["logBytes"]),
            processes=int(limits["processes"]),
            open_files=int(limits["openFiles"]),
            cpu_seconds=int(limits["cpuSeconds"]),
            files=int(limits.get("files") or Limits.files),
            set_by=dict(document.get("setBy") or {}),
        ),
        folders=tuple(document.get("folders") or ()),
        earlier=tuple(Earlier(each["name"], each["url"]) for each in document.get("earlier") or ()),
        result=_own_form(document, "result"),
        tree=_own_form(document, "tree"),
        outcome=_own_form(document, "outcome"),
    )


def _input(document: Mapping[str, Any]) -> Input:
    return Input(
        document["path"],
        document["url"],
        document.get("size"),
        bool(document.get("optional", False)),
        document.get("sha256"),
        bool(document.get("executable", False)),
        document.get("modified"),
    )


def _own_form(document: Mapping[str, Any], member: str) -> Form | None:
    """A form for one key, where the manifest has it."""
    return _form(document[member], document[member]["key"]) if document.get(member) else None


def _form(document: Mapping[str, Any], key: str) -> Form:
    return Form(document["url"], dict(document["fields"]), key)

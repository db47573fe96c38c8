"""The real template, built and deployed into an emulator by the real SAM CLI."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local import emulator, template

NAME = "flowserverless"
ARTIFACTS = "flowserverless-artifacts"
CACHE = emulator.STATE / "build"

DELETE_SECONDS = 30.0
LINES_SHOWN = 25
HEALTHY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class DeploymentError(Exception):
    """SAM refused the template or the stack did not come up; the message ends with what SAM said last."""


@dataclasses.dataclass(frozen=True)
class Target:
    """Where a template goes: `name` of the stack, in which emulator."""

    emulator: emulator.Emulator
    name: str = NAME
    template: pathlib.Path = template.TEMPLATE

    @property
    def environment(self) -> dict[str, str]:
        """For programs that shall talk to this emulator, whatever AWS account the caller has configured."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
        return {
            **kept,
            **emulator.CREDENTIALS,
            "AWS_ENDPOINT_URL": self.emulator.url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str) -> Any:
        """A client of a service of this emulator, with all rights."""
        return emulator.client(service, self.emulator.url)


def deploy(target: Target, parameters: Mapping[str, str]) -> dict[str, str]:
    """Build and deploy, and return the stack's outputs. Parameters not given have the template's defaults.

    What has not changed is neither built nor deployed again. Raises DeploymentError.
    """
    if unknown := parameters.keys() - template.load(target.template).get("Parameters", {}).keys():
        raise DeploymentError(f"the template has no parameter {', '.join(sorted(unknown))}")
    runtime = emulator.runtime()
    values = {**_defaults(target, runtime), **parameters}
    overrides = ["--parameter-overrides", *(f"{name}={_quoted(value)}" for name, value in values.items())]
    built = _build(target, runtime, overrides)
    _delete_what_failed(target)
    target.client("s3").create_bucket(Bucket=ARTIFACTS)
    _sam(
        target,
        "deploy",
        ["--template-file", str(built), "--stack-name", target.name, "--s3-bucket", ARTIFACTS, *overrides],
        {"SAM_CLI_POLL_DELAY": "0.2"},
    )
    return outputs(target)


def outputs(target: Target) -> dict[str, str]:
    """What the stack's template tells of it. Raises botocore's ClientError when there is no such stack."""
    (description,) = target.client("cloudformation").describe_stacks(StackName=target.name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}


def _defaults(target: Target, runtime: str) -> dict[str, str]:
    """The template's own defaults, but for what has to be different on one machine."""
    declared = template.defaults(target.template)
    here = {
        "PythonRuntime": runtime,
        "RequireTls": "false",
        "ApiUrlForm": f"{target.emulator.url}/_aws/execute-api/{{apiId}}/{{stage}}",
    }
    return declared | {name: value for name, value in here.items() if name in declared}


def _build(target: Target, runtime: str, overrides: Sequence[str]) -> pathlib.Path:
    """Build below the emulator's home; the cache is common, so that a second stack is built by copying."""
    folder = target.emulator.home / "build"
    interpreter = os.pathsep.join([str(emulator.PYTHON.parent), os.environ.get("PATH", os.defpath)])
    wheels = {"LAYER_PLATFORM": "", "LAYER_PYTHON": runtime.removeprefix("python")}
    with _turn(CACHE / runtime) as cache:
        _sam(
            target,
            "build",
            [
                *("--template-file", str(target.template)),
                *("--build-dir", str(folder), "--cache-dir", str(cache), *overrides),
            ],
            {"PATH": interpreter, **wheels},
        )
    return folder / "template.yaml"


def _sam(target: Target, command: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    settings = ["--config-file", str(emulator.PROJECT / "samconfig.toml"), "--config-env", "local"]
    log = target.emulator.home / f"sam-{command}.log"
    # `sam build` leaves an empty folder for temporary files behind for every function.
    with log.open("wb") as stream, tempfile.TemporaryDirectory() as temporary:
        ended = subprocess.run(
            [sys.executable, "-m", "samcli", command, *settings, *arguments],
            env={
                **target.environment,
                "SAM_CLI_TELEMETRY": "0",
                "__SAM_CLI_APP_DIR": str(CACHE),
                "TMPDIR": temporary,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    if ended.returncode:
        said = log.read_text("utf-8", "replace").splitlines()[-LINES_SHOWN:]
        raise DeploymentError("\n".join([f"sam {command} failed; all of it is in {log}", *said]))


def _delete_what_failed(target: Target) -> None:
    """CloudFormation does not update a stack whose first deployment failed or was interrupted."""
    if _status(target) in (None, *HEALTHY):
        return
    target.client("cloudformation").delete_stack(StackName=target.name)
    deadline = time.monotonic() + DELETE_SECONDS
    while (status := _status(target)) is not None:
        if time.monotonic() > deadline:
            advice = "cannot be deleted; `make clean` starts anew"
            raise DeploymentError(f"stack {target.name} is {status} and {advice}")
        time.sleep(0.1)


def _status(target: Target) -> str | None:
    client = target.client("cloudformation")
    with contextlib.suppress(client.exceptions.ClientError):
        (description,) = client.describe_stacks(StackName=target.name)["Stacks"]
        if description["StackStatus"] != "DELETE_COMPLETE":
            return str(description["StackStatus"])
    return None


@contextlib.contextmanager
def _turn(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder that one process at a time works in."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""The stack of this machine: bring it up, find it, end it. `.local/stack.json` says where it is."""

from __future__ import annotations

import dataclasses
import json
import shlex
import urllib.parse
from collections.abc import Mapping
from typing import Any

from local import deployment, emulator

HOME = emulator.STATE / "stack"
FILE = emulator.STATE / "stack.json"
ENVIRONMENT = emulator.STATE / "aws.env"


class NoStack(Exception):
    """There is no such stack; the message says how to get one."""


@dataclasses.dataclass(frozen=True)
class Stack:
    """A deployed stack, on this machine or (`endpoint_url` is None) in the AWS account of the caller."""

    api_url: str
    endpoint_url: str | None
    bucket: str
    table: str
    user_pool_id: str
    user_pool_client_id: str
    state_machine_arn: str
    name: str = deployment.NAME

    def client(self, service: str) -> Any:
        """A client of an AWS service with all rights, or in an AWS account with those of the caller."""
        return emulator.client(service, self.endpoint_url)


def up(parameters: Mapping[str, str] | None = None) -> Stack:
    """Start the emulator unless it runs, deploy the template as it is now, and write down where it is."""
    running = emulator.running(HOME) or emulator.start(HOME)
    here = deploy(deployment.Target(running), parameters or {})
    FILE.write_text(json.dumps(document(here), indent=2) + "\n")
    exports = {**emulator.CREDENTIALS, "AWS_ENDPOINT_URL": running.url}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in exports.items()]
    ENVIRONMENT.write_text("".join(lines))
    return here


def down() -> bool:
    """End the emulator; its state is kept for the next time. False when none was running."""
    was_running = emulator.stop(HOME)
    for path in (FILE, ENVIRONMENT):
        path.unlink(missing_ok=True)
    return was_running


def deploy(target: deployment.Target, parameters: Mapping[str, str]) -> Stack:
    """Deploy the template into an emulator."""
    return described(deployment.deploy(target, parameters), target.name, target.emulator.url)


def found(name: str = "local") -> Stack:
    """The stack of this machine, or the one of that name in the caller's AWS account. Raises NoStack."""
    if name != "local":
        client = emulator.client("cloudformation", None)
        try:
            (description,) = client.describe_stacks(StackName=name)["Stacks"]
        except client.exceptions.ClientError as error:
            raise NoStack(f"no stack {name} in this AWS account and region: {error}") from error
        outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
        return described(outputs, name)
    running = emulator.running(HOME)
    if running is None or not FILE.exists():
        raise NoStack("the local stack is not up; `make serve` starts it")
    return described(deployment.outputs(deployment.Target(running)), deployment.NAME, running.url)


def described(outputs: Mapping[str, str], name: str, endpoint_url: str | None = None) -> Stack:
    """The stack whose outputs these are."""
    api_url = outputs["ApiUrl"].rstrip("/")
    return Stack(
        api_url=api_url if endpoint_url is None else _by_path(api_url, endpoint_url),
        endpoint_url=endpoint_url,
        bucket=outputs["BucketName"],
        table=outputs["TableName"],
        user_pool_id=outputs["UserPoolId"],
        user_pool_client_id=outputs["UserPoolClientId"],
        state_machine_arn=outputs["StateMachineArn"],
        name=name,
    )


def document(stack: Stack) -> dict[str, str | None]:
    """What `.local/stack.json` holds, for programs in any language."""
    return {
        "apiUrl": stack.api_url,
        "endpointUrl": stack.endpoint_url,
        "bucket": stack.bucket,
        "table": stack.table,
        "userPoolId": stack.user_pool_id,
        "userPoolClientId": stack.user_pool_client_id,
        "stateMachineArn": stack.state_machine_arn,
    }


def _by_path(api_url: str, endpoint_url: str) -> str:
    """API Gateway's address without a host name of its own, which this machine could not resolve."""
    parts = urllib.parse.urlsplit(api_url)
    api, stage = parts.netloc.split(".")[0], parts.path.strip("/")
    return f"{endpoint_url}/_aws/execute-api/{api}/{stage}"

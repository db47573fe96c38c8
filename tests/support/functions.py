"""Lambda functions: those of a deployed stack, and others of a test's own in an emulator."""

import io
import json
import textwrap
import zipfile
from collections.abc import Mapping

from local import emulator, stack


def role(running: emulator.Emulator) -> str:
    """The ARN of a role that may do everything and that every service may take."""
    iam = emulator.client("iam", running.url)
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    anybody = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}
    arn: str = iam.create_role(RoleName="any", AssumeRolePolicyDocument=json.dumps({"Statement": anybody}))["Role"][
        "Arn"
    ]
    iam.put_role_policy(RoleName="any", PolicyName="any", PolicyDocument=json.dumps({"Statement": anything}))
    return arn


def create(running: emulator.Emulator, role: str, program: str, seconds: int = 3) -> str:
    """The ARN of a function with the `handler` of a program."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("main.py", textwrap.dedent(program))
    created = emulator.client("lambda", running.url).create_function(
        FunctionName="double",
        Runtime=emulator.runtime(),
        Role=role,
        Handler="main.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=seconds,
    )
    arn: str = created["FunctionArn"]
    return arn


def named(of: stack.Stack, name: str) -> str:
    """The full name of a function that the template calls `<name>Function`."""
    pages = of.client("lambda").get_paginator("list_functions").paginate()
    known = [one["FunctionName"] for page in pages for one in page["Functions"]]
    (found,) = (full for full in known if full.startswith(f"{of.name}-{name}Function-"))
    return found


def configure(of: stack.Stack, name: str, more: Mapping[str, str]) -> None:
    """Give a function more environment variables, or other values."""
    client, full = of.client("lambda"), named(of, name)
    known = client.get_function_configuration(FunctionName=full)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=full, Environment={"Variables": {**known, **more}})

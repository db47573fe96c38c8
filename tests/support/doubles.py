"""Roles and functions in an emulator, where a test has no use for those of the stack."""

import io
import json
import textwrap
import zipfile

from local import emulator


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


def function(running: emulator.Emulator, role: str, program: str, seconds: int = 3) -> str:
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

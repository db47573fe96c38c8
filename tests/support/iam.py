"""Whether a function may do what it does: each of its calls to AWS held against its policy in template.yaml.

with iam.asked() as asked:
    handler(event, context)
assert not iam.refused("delete_upload", asked)

Signing a URL or a form asks for what it allows, as in AWS: who may not read an object signs links that S3 refuses.
"""

import contextlib
import fnmatch
import functools
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from botocore import client, exceptions, signers

from local import template

# What IAM calls an operation of S3 that has another name than its permission.
PERMISSIONS = {
    "HeadObject": "s3:GetObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
}
COPIES = ("CopyObject", "UploadPartCopy")
# Operations of Cognito that anybody may call, with the id of a client or a user's token and no credentials of AWS.
OPEN = (
    "SignUp",
    "ConfirmSignUp",
    "ResendConfirmationCode",
    "InitiateAuth",
    "RevokeToken",
    "ForgotPassword",
    "ConfirmForgotPassword",
    "ChangePassword",
    "DeleteUser",
)
# A permission and what it is for: `bucket/{key}`, `table`, `table/index/{name}`, or a service whose names moto invents.
Asked = tuple[str, str]

_active: list["_Invocation"] = []
_own = threading.local()


class _Invocation:
    def __init__(self) -> None:
        self.asked: set[Asked] = set()


@contextlib.contextmanager
def asked() -> Iterator[set[Asked]]:
    """Collect what the calls of this thread, and of threads that no other function began, need meanwhile.

    What happens within an `asked` inside of this one is not collected here.
    """
    here = _Invocation()
    mine: list[_Invocation] = _own.__dict__.setdefault("invocations", [])
    mine.append(here)
    _active.append(here)
    try:
        yield here.asked
    finally:
        mine.pop()
        _active.remove(here)


def refused(operation: str, needed: set[Asked]) -> list[Asked]:
    """Those of the calls that IAM would refuse to the function."""
    allowed = _allowed(operation)
    return sorted(
        (action, resource)
        for action, resource in needed
        if not any(action == known and fnmatch.fnmatchcase(resource, pattern) for known, pattern in allowed)
    )


def watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notice all calls, and all that is signed."""
    call, sign = client.BaseClient._make_api_call, client.BaseClient._emit_api_params
    post = signers.S3PostPresigner.generate_presigned_post

    def calling(self: Any, name: str, parameters: dict[str, Any]) -> Any:
        try:
            return call(self, name, parameters)
        except exceptions.ClientError as error:
            if self.meta.service_model.service_name == "s3" and error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                # Who may not list the bucket is told 403 of what is not there.
                _note([("s3:ListBucket", "bucket")])
            raise

    def signing(self: Any, api_params: dict[str, Any], operation_model: Any, context: Any) -> Any:
        _note(_needs(self.meta.service_model.service_name, operation_model.name, api_params))
        return sign(self, api_params=api_params, operation_model=operation_model, context=context)

    def posting(self: Any, request_dict: Any, fields: Any, conditions: Any, **more: Any) -> Any:
        named = (each.get("key") if isinstance(each, dict) else each[1] == "$key" and each[2] for each in conditions)
        _note(("s3:PutObject", f"bucket/{key}") for key in named if key)
        return post(self, request_dict, fields, conditions, **more)

    monkeypatch.setattr(client.BaseClient, "_make_api_call", calling)
    monkeypatch.setattr(client.BaseClient, "_emit_api_params", signing)
    monkeypatch.setattr(signers.S3PostPresigner, "generate_presigned_post", posting)


def _note(needed: Iterable[Asked]) -> None:
    mine: list[_Invocation] = getattr(_own, "invocations", [])
    if mine:
        mine[-1].asked.update(needed)
    elif len(_active) == 1 and threading.current_thread() is not threading.main_thread():
        _active[0].asked.update(needed)


def _needs(service: str, name: str, parameters: dict[str, Any]) -> Iterator[Asked]:
    match service:
        case "dynamodb" if name == "TransactWriteItems":
            for item in parameters["TransactItems"]:
                (kind,) = item
                yield f"dynamodb:{kind}Item", "table"
        case "dynamodb":
            index = parameters.get("IndexName")
            yield f"dynamodb:{name}", f"table/index/{index}" if index else "table"
        case "s3":
            yield from _needs_of_s3(name, parameters)
        case "cognito-idp" if name in OPEN:
            return
        case _:
            yield f"{'states' if service == 'stepfunctions' else service}:{name}", service


def _needs_of_s3(name: str, parameters: dict[str, Any]) -> Iterator[Asked]:
    if name == "CreateBucket":
        # Which botocore has in mind while it signs a form.
        return
    if name == "ListObjectsV2":
        yield "s3:ListBucket", "bucket"
    elif name == "DeleteObjects":
        yield from (("s3:DeleteObject", f"bucket/{each['Key']}") for each in parameters["Delete"]["Objects"])
    elif name in COPIES:
        yield "s3:PutObject", f"bucket/{parameters['Key']}"
        yield "s3:GetObject", f"bucket/{parameters['CopySource']['Key']}"
    else:
        yield PERMISSIONS.get(name, f"s3:{name}"), f"bucket/{parameters['Key']}"


@functools.cache
def _allowed(operation: str) -> list[Asked]:
    functions = template.resources("AWS::Serverless::Function").values()
    (declared,) = (each for each in functions if each["CodeUri"] == f"functions/{operation}")
    return [
        (action, _resource(resource))
        for policy in declared.get("Policies", [])
        for statement in (_taken(each) for each in policy["Statement"])
        for action in _list(statement["Action"])
        for resource in _list(statement["Resource"])
    ]


def _taken(value: Any) -> Any:
    return value["Fn::If"][1] if isinstance(value, dict) and "Fn::If" in value else value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _resource(declared: Any) -> str:
    value = _taken(declared)
    if isinstance(value, str):
        return value
    text = value.get("Fn::Sub") or ".".join(value["Fn::GetAtt"])
    text = text.replace("${Table.Arn}", "table").replace("arn:${AWS::Partition}:s3:::${Bucket}", "bucket")
    return "table" if text == "Table.Arn" else text if text.startswith(("table", "bucket")) else "*"

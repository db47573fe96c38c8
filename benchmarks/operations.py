"""What every operation asks of AWS, counted: calls, bytes of items, units; and what a run of two steps costs.

The calls are counted in this process with the real handlers on moto; the state transitions and Lambda invocations of
a run are read from the history of a real execution on the local stack.
"""

import collections
import contextlib
import importlib.util
import io
import json
import math
import os
import pathlib
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from typing import Any

from local import client, publish, stack, template

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PRICES = json.loads((PROJECT / "benchmarks" / "prices.json").read_text("utf-8"))
PERSON = {"principalId": "u-ada", "user": "u-ada", "name": "ada", "roles": "", "problem": ""}
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
S3_WRITES = {
    "PutObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "ListObjectsV2",
    "CopyObject",
}


class Count:
    """What one operation asked of AWS."""

    def __init__(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.read_bytes = self.written_bytes = 0
        self.read_units = self.write_units = 0.0
        self.s3_reads = self.s3_writes = 0

    def note(self, service: str, operation: str, body: dict[str, Any], answer: dict[str, Any]) -> None:
        """Count a call.

        Units by the published formulas: 4 KB for a strongly consistent read, 1 KB for a write, twice in transactions.
        """
        self.calls[f"{service}.{operation}"] += 1
        if service == "s3":
            written = operation in S3_WRITES
            self.s3_writes += written
            self.s3_reads += not written and operation != "DeleteObjects"
        if service != "dynamodb":
            return
        items = [answer["Item"]] if "Item" in answer else list(answer.get("Items", []))
        sizes = [size(item) for item in items]
        if operation == "Query" or operation == "GetItem":
            self.read_units += math.ceil(sum(sizes) / 4096) or 1
        for found in answer.get("Responses", {}).values() if operation == "BatchGetItem" else ():
            sizes += [size(item) for item in found]
            self.read_units += sum(math.ceil(size(item) / 4096) or 1 for item in found)
        self.read_bytes += sum(sizes)
        if operation in WRITES:
            self._note_writes(operation, body)

    def _note_writes(self, operation: str, body: dict[str, Any]) -> None:
        actions = [next(iter(action.values())) for action in body.get("TransactItems", [])] or [body]
        if operation == "BatchWriteItem":
            requests = [one for table in body["RequestItems"].values() for one in table]
            actions = [next(iter(request.values())) for request in requests]
        for action in actions:
            # An update is charged by the whole item, of which the request has only what changes: a lower bound.
            written = size(
                action.get("Item") or {**action.get("Key", {}), **action.get("ExpressionAttributeValues", {})}
            )
            self.written_bytes += written
            self.write_units += math.ceil(written / 1024) * (2 if operation == "TransactWriteItems" else 1)

    def line(self, operation: str) -> str:
        """One row of the table."""
        calls = ", ".join(f"{name} {number}" for name, number in sorted(self.calls.items())) or "none"
        return (
            f"{operation:22} {self.read_bytes:7} {self.read_units:5.0f} {self.written_bytes:7} {self.write_units:5.0f}"
            f"  {calls}"
        )


def size(item: Any) -> int:
    """Bytes of an item in DynamoDB's JSON: names and values in UTF-8, numbers about two digits a byte."""
    total = 0
    for name, typed in item.items():
        ((kind, value),) = typed.items()
        total += len(name.encode()) + (
            len(str(value)) // 2 + 1 if kind == "N" else 1 if kind in ("BOOL", "NULL") else len(str(value).encode())
        )
    return total


@contextlib.contextmanager
def counted(count: Count) -> Iterator[None]:
    """Note every request that botocore sends meanwhile."""
    from botocore import endpoint

    send = endpoint.Endpoint.make_request

    def make_request(self: Any, model: Any, request: dict[str, Any]) -> Any:
        answer = send(self, model, request)
        body = request.get("body")
        parsed = (
            json.loads(body)
            if isinstance(body, (bytes, str)) and model.service_model.service_name == "dynamodb"
            else {}
        )
        count.note(model.service_model.service_name, model.name, parsed, answer[1])
        return answer

    endpoint.Endpoint.make_request = make_request
    try:
        yield
    finally:
        endpoint.Endpoint.make_request = send


def invoke(operation: str, event: dict[str, Any]) -> tuple[Any, Count]:
    """Call a handler; its answer and what it asked of AWS."""
    specification = importlib.util.spec_from_file_location(operation, PROJECT / "functions" / operation / "app.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    count = Count()
    with counted(count), contextlib.redirect_stdout(io.StringIO()):
        answer = module.handler(event, types.SimpleNamespace(aws_request_id="1", function_name=operation))
    if "statusCode" in answer:
        if answer["statusCode"] >= 400:
            sys.exit(f"{operation}: {answer['body']}")
        answer = json.loads(answer["body"]) if answer.get("body") else {}
    return answer, count


def request(
    method: str, resource: str, body: Any = None, query: dict[str, str] | None = None, **path: str
) -> dict[str, Any]:
    """A request of a member, as API Gateway hands it on."""
    headers = {"Content-Type": "application/json"}
    return {
        "httpMethod": method,
        "resource": resource,
        "path": resource.format_map(path),
        "pathParameters": path,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {"requestId": "1", "stage": "v1", "authorizer": PERSON},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _tree(path: str, size: int) -> dict[str, Any]:
    """What `run_step` says of a step that wrote one file."""
    return {"written": [[path, size, False, 0]], "gone": [], "folders": [], "notes": []}


def story() -> Iterator[tuple[str, Count]]:
    """Every operation on runs once, in the order in which a group meets them."""
    from flowserverless.store import bucket, upload_items

    content = publish.package(PROJECT / "examples" / "greetings")
    bucket.write("inbox/workflows/greetings.zip", content)
    report, count = invoke("publish_workflow", {"key": "inbox/workflows/greetings.zip"})
    yield "publish_workflow", count
    group, count = invoke(
        "create_group", request("POST", "/workflows/{workflowId}/groups", {"name": "Ada"}, workflowId="greetings")
    )
    yield "create_group", count
    announced = {"name": "names.txt", "size": 6, "sha256": "0" * 64}
    upload, count = invoke("upload_file", request("POST", "/uploads/{groupId}/files", announced, groupId=group["id"]))
    yield "upload_file (announce)", count
    bucket.write(bucket.upload(group["id"], upload["id"]), b"Grace\n")
    upload_items.mark_arrived(upload_items.get(group["id"], upload["id"]))
    value = {"type": "$file", "value": {"fileId": upload["id"]}}
    started = request(
        "POST", "/groups/{groupId}/runs", {"arguments": [{"name": "names", "value": value}]}, groupId=group["id"]
    )
    run, count = invoke("start_run", started)
    yield "start_run", count
    task = {"run": run["id"], "workflow": "greetings", "version": report["version"]}
    outcome = {
        "exitCode": 0,
        "reason": None,
        "messages": [],
        "startedAt": run["createdAt"],
        "finishedAt": run["createdAt"],
    }
    yield "stage_step (first)", invoke("stage_step", {**task, "step": 0, "outcome": None})[1]
    bucket.write(bucket.result(run["id"], "results/greetings.txt"), b"Hello, Grace!\n")
    bucket.write_json(bucket.tree(run["id"], 0), _tree("results/greetings.txt", 14))
    yield "stage_step (second)", invoke("stage_step", {**task, "step": 1, "outcome": outcome})[1]
    summary = {"people": 1, "lines": 1, "first": "Hello, Grace!"}
    bucket.write_json(bucket.result(run["id"], "results/summary.json"), summary)
    bucket.write_json(bucket.tree(run["id"], 1), _tree("results/summary.json", len(json.dumps(summary))))
    yield "update_run", invoke("update_run", {**task, "outcome": outcome, "failure": None})[1]
    yield "post_process", invoke("post_process", {"workflow": "greetings"})[1]
    one = {"runId": run["id"]}
    yield "get_run", invoke("get_run", request("GET", "/runs/{runId}", **one))[1]
    yield "list_runs", invoke("list_runs", request("GET", "/groups/{groupId}/runs", groupId=group["id"]))[1]
    yield "list_run_files", invoke("list_run_files", request("GET", "/runs/{runId}/files", **one))[1]
    resource = "/runs/{runId}/downloads/files/{fileId}"
    yield (
        "get_result_file",
        invoke("get_result_file", request("GET", resource, fileId=f"{run['id'][:8]}-000000", **one))[1],
    )
    yield (
        "get_result_archive",
        invoke("get_result_archive", request("GET", "/runs/{runId}/downloads/archive", **one))[1],
    )
    board = request("GET", "/workflows/{workflowId}/leaderboard", workflowId="greetings")
    yield "get_leaderboard", invoke("get_leaderboard", board)[1]
    yield "get_workflow", invoke("get_workflow", request("GET", "/workflows/{workflowId}", workflowId="greetings"))[1]
    yield "list_workflows", invoke("list_workflows", request("GET", "/workflows"))[1]
    yield "get_group", invoke("get_group", request("GET", "/groups/{groupId}", groupId=group["id"]))[1]
    yield "delete_run", invoke("delete_run", request("DELETE", "/runs/{runId}", **one))[1]
    yield "remove_files", invoke("remove_files", {"run": run["id"]})[1]
    second, _ = invoke("start_run", started)
    yield "cancel_run", invoke("cancel_run", request("PUT", "/runs/{runId}", {}, runId=second["id"]))[1]
    yield "reconcile_runs (idle)", invoke("reconcile_runs", {})[1]


@contextlib.contextmanager
def account() -> Iterator[None]:
    """An empty AWS account on moto with the table and bucket of the template."""
    import botocore.session
    import moto

    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TABLE_NAME": "flowserverless",
        "BUCKET_NAME": "flowserverless",
        "STATE_MACHINES": "arn:aws:states:us-east-1:123456789012:stateMachine:flowserverless-",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    with moto.mock_aws():
        session = botocore.session.get_session()
        (declared,) = template.resources("AWS::DynamoDB::Table").values()
        kept = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
        session.create_client("dynamodb").create_table(
            TableName="flowserverless", **{name: declared[name] for name in kept}
        )
        session.create_client("s3").create_bucket(Bucket="flowserverless")
        role = "arn:aws:iam::123456789012:role/any"
        nothing = json.dumps({"StartAt": "Nothing", "States": {"Nothing": {"Type": "Pass", "End": True}}})
        for machine in template.resources("AWS::Serverless::StateMachine").values():
            name = machine["Name"]["Fn::Sub"].replace("${AWS::StackName}", "flowserverless")
            session.create_client("stepfunctions").create_state_machine(name=name, definition=nothing, roleArn=role)
        yield


def execution() -> tuple[int, int]:
    """State transitions and Lambda invocations of a run of examples/greetings on the local stack (two steps)."""
    with contextlib.ExitStack() as afterwards:
        try:
            here = stack.found()
        except stack.NoStack:
            here = stack.up()
            afterwards.callback(stack.down)
        return _executed(here)


def _executed(here: stack.Stack) -> tuple[int, int]:
    publish.publish(here, PROJECT / "examples" / "greetings", "greetings")
    service = client.Service(here.api_url)
    name = f"bench-{os.getpid()}"
    with contextlib.suppress(client.Refused):
        service.post("users/register", {"username": name, "password": "correct horse", "verify": False})
    user = service.as_user(service.post("users/login", {"username": name, "password": "correct horse"})["token"])
    group = user.post("workflows/greetings/groups", {"name": name})["id"]
    with tempfile.TemporaryDirectory() as folder:
        names = pathlib.Path(folder, "names.txt")
        names.write_text("Grace\n")
        upload = user.upload(f"uploads/{group}/files", names)["id"]
    value = {"type": "$file", "value": {"fileId": upload}}
    run = user.post(f"groups/{group}/runs", {"arguments": [{"name": "names", "value": value}]})["id"]
    machines = here.client("stepfunctions")
    arn = here.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{run}"
    while machines.describe_execution(executionArn=arn)["status"] == "RUNNING":
        time.sleep(0.2)
    history = machines.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    kinds = collections.Counter(event["type"] for event in history)
    entered = sum(number for kind, number in kinds.items() if kind.endswith("StateEntered"))
    return entered, kinds["TaskScheduled"] + kinds["LambdaFunctionScheduled"]


def counts() -> dict[str, Count]:
    """What every operation asks of AWS, by its name. Changes the environment of this process."""
    sys.path.insert(0, str(PROJECT / "layers" / "flowserverless"))
    with account():
        return dict(story())


def main() -> None:
    """Print the table and the cost of a thousand runs."""
    total = Count()
    print(f"{'operation':22} {'read B':>7} {'RRU':>5} {'write B':>7} {'WRU':>5}  calls")
    for operation, count in counts().items():
        print(count.line(operation))
        if operation.split()[0] in ("start_run", "stage_step", "update_run", "post_process"):
            total.read_units += count.read_units
            total.write_units += count.write_units
            total.s3_reads += count.s3_reads
            total.s3_writes += count.s3_writes
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    transitions, invocations = execution()
    print(
        f"\na run of two steps: {transitions} state transitions, {invocations} Lambda invocations by the state machine"
    )
    _cost(transitions, invocations, total)


def _cost(transitions: int, invocations: int, total: Count) -> None:
    price = PRICES["per_million"]
    # Two more requests start it: the authorizer's and start_run's own.
    lines = {
        "state transitions": transitions * price["state transition"],
        "lambda requests": (invocations + 2) * price["lambda request"],
        "api request": price["api request"],
        "dynamodb": total.read_units * price["dynamodb read unit"] + total.write_units * price["dynamodb write unit"],
        "s3 requests": total.s3_reads * price["s3 read"] + total.s3_writes * price["s3 write"],
    }
    print(
        f"a thousand of them, by the prices of {PRICES['as_of']} in {PRICES['region']}, without the steps' own compute:"
    )
    for name, dollars in lines.items():
        print(f"  {name:18} {dollars / 1000:8.4f} $")
    print(f"  {'together':18} {sum(lines.values()) / 1000:8.4f} $")

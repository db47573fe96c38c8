"""What every operation asks of AWS, exactly: whoever makes one dearer has to say so. `make bench` prints the same."""

import json
import subprocess
import sys

import pytest

from local import emulator

PROGRAM = """
import json
from benchmarks import operations
found = operations.counts()
print(json.dumps({name: [dict(count.calls), count.read_units, count.write_units] for name, count in found.items()}))
"""
# Calls by service, read units and write units.
EXPECTED = {
    "publish_workflow": [
        {
            "s3.HeadObject": 1,
            "s3.GetObject": 1,
            "dynamodb.GetItem": 2,
            "s3.PutObject": 4,
            "dynamodb.BatchGetItem": 1,
            "dynamodb.TransactWriteItems": 1,
        },
        2,
        20,
    ],
    "create_group": [{"dynamodb.BatchGetItem": 1, "dynamodb.TransactWriteItems": 1}, 2, 12],
    "upload_file (announce)": [{"dynamodb.BatchGetItem": 1, "dynamodb.TransactWriteItems": 1}, 2, 8],
    "start_run": [
        {
            "dynamodb.BatchGetItem": 1,
            "dynamodb.GetItem": 1,
            "dynamodb.TransactWriteItems": 1,
            "stepfunctions.StartExecution": 1,
        },
        4,
        10,
    ],
    "stage_step (first)": [{"dynamodb.BatchGetItem": 1, "dynamodb.UpdateItem": 1, "s3.PutObject": 1}, 2, 1],
    "stage_step (second)": [
        {"dynamodb.BatchGetItem": 1, "dynamodb.UpdateItem": 1, "s3.GetObject": 1, "s3.PutObject": 1},
        2,
        1,
    ],
    "update_run": [
        {
            "dynamodb.GetItem": 3,
            "s3.ListObjectsV2": 1,
            # Two for the trees of the two steps.
            "s3.GetObject": 5,
            "s3.PutObject": 1,
            "dynamodb.BatchGetItem": 1,
            "dynamodb.TransactWriteItems": 1,
        },
        6,
        16,
    ],
    "post_process": [
        {
            "dynamodb.GetItem": 2,
            "dynamodb.Query": 1,
            "dynamodb.TransactWriteItems": 1,
            "stepfunctions.StartExecution": 1,
        },
        3,
        4,
    ],
    "get_run": [{"dynamodb.BatchGetItem": 2, "dynamodb.Query": 1}, 5, 0],
    "list_runs": [{"dynamodb.BatchGetItem": 2, "dynamodb.Query": 1}, 5, 0],
    "list_run_files": [{"dynamodb.BatchGetItem": 1}, 3, 0],
    "get_result_file": [{"dynamodb.BatchGetItem": 1}, 3, 0],
    "get_result_archive": [{"dynamodb.BatchGetItem": 1}, 3, 0],
    "get_leaderboard": [{"dynamodb.BatchGetItem": 3, "dynamodb.Query": 1}, 5, 0],
    "get_workflow": [{"dynamodb.BatchGetItem": 2, "dynamodb.Query": 1}, 4, 0],
    "list_workflows": [{"dynamodb.Query": 1}, 1, 0],
    "get_group": [{"dynamodb.BatchGetItem": 2, "dynamodb.Query": 3}, 7, 0],
    "delete_run": [
        {
            "dynamodb.BatchGetItem": 2,
            "dynamodb.GetItem": 2,
            "dynamodb.Query": 1,
            "dynamodb.TransactWriteItems": 1,
            "stepfunctions.StartExecution": 1,
        },
        9,
        16,
    ],
    "remove_files": [
        {"s3.ListObjectsV2": 3, "s3.DeleteObjects": 1, "dynamodb.Query": 1, "dynamodb.DeleteItem": 1},
        1,
        1,
    ],
    "cancel_run": [
        {
            "dynamodb.BatchGetItem": 2,
            "s3.PutObject": 1,
            "dynamodb.TransactWriteItems": 1,
            "stepfunctions.StopExecution": 1,
            "dynamodb.UpdateItem": 1,
        },
        6,
        9,
    ],
    "reconcile_runs (idle)": [
        {"dynamodb.Query": 8, "dynamodb.GetItem": 2, "stepfunctions.DescribeExecution": 1},
        10,
        0,
    ],
}


@pytest.fixture(scope="module")
def counts():
    """All operations once, in a process of their own because they are given an account of their own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=emulator.PROJECT, capture_output=True, check=True, text=True
    )
    return json.loads(done.stdout)


def test_every_operation_asks_for_what_it_always_did(counts):
    assert counts == EXPECTED

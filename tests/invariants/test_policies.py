"""The check of functions against their policies sees what they ask, and refuses what IAM would."""

import pytest

from flowserverless.store import bucket
from support import iam

pytestmark = pytest.mark.usefixtures("bucket")


def test_what_is_read_written_and_signed_is_seen():
    with iam.asked() as asked:
        bucket.write("runs/a/x", b"")
        assert bucket.read("runs/a/nothing", 1) is None
        bucket.link("uploads/g/f")
        bucket.form("runs/a/files/", 60, 1)
        bucket.form("uploads/g/g", 60, 1)
    assert asked == {
        ("s3:PutObject", "bucket/runs/a/x"),
        ("s3:GetObject", "bucket/runs/a/nothing"),
        ("s3:ListBucket", "bucket"),
        ("s3:GetObject", "bucket/uploads/g/f"),
        ("s3:PutObject", "bucket/runs/a/files/"),
        ("s3:PutObject", "bucket/uploads/g/g"),
    }


def test_what_no_statement_allows_is_refused():
    allowed = {("s3:DeleteObject", "bucket/uploads/g/f"), ("dynamodb:GetItem", "table")}
    beyond = {("s3:DeleteObject", "bucket/runs/g/f"), ("s3:PutObject", "bucket/uploads/g/f")}
    assert iam.refused("delete_upload", allowed | beyond) == sorted(beyond)

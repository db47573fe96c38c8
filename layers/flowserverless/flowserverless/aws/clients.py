"""Clients of AWS services, each made when it is first used: most operations never need most of them."""

import functools
import os
from typing import Any

import botocore.session
from botocore.config import Config


@functools.cache
def client(service: str) -> Any:
    """The one client of `service` in this process; standard retries (three more attempts, back-off with jitter).

    S3 URLs are signed with version 4 for the region's own endpoint: the global one answers a redirect
    for a young bucket, which a signed URL does not survive.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 6},
        connect_timeout=3,
        read_timeout=20,
        signature_version="s3v4" if service == "s3" else None,
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"} if service == "s3" else None,
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return botocore.session.get_session().create_client(service, region_name=region, config=config)


def error_code(error: Exception) -> str:
    """The service's own name for an error, or ''."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))

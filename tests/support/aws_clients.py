"""Clients with which tests prepare and look at what moto holds."""

import functools
import os
from typing import Any

import botocore.session
import moto  # noqa: F401 - it can only intercept clients made after it

_SESSION = botocore.session.get_session()


@functools.cache
def of(service: str) -> Any:
    """The one client of `service`: to make one takes longer than most tests."""
    return _SESSION.create_client(service, region_name=os.environ["AWS_REGION"])

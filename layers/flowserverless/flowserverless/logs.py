"""The log of every function: JSON lines, with the run or the request that they are about."""

import contextlib
from collections.abc import Iterator

from aws_lambda_powertools import Logger

logger = Logger(service="api")


@contextlib.contextmanager
def left_to_the_reconciler(
    what: str, errors: type[Exception] | tuple[type[Exception], ...] = Exception, **about: str
) -> Iterator[None]:
    """Write down which of `errors` happened here, and go on: it is due, so that the reconciler does it.

    What comes before is done, and an error would say that it is not.
    """
    try:
        yield
    except errors:
        logger.exception(f"{what}; the reconciler does that", extra=about)

"""The log of a step: a link to all of it, or the end of it as text."""

from aws_lambda_powertools.event_handler import Response

from flowserverless.api import answers
from flowserverless.domain import errors, runs
from flowserverless.store import bucket


def log(of: runs.Run, step: int | None, tail: int | None, head: bool) -> Response[str]:
    """The log of a step. Raises NotFound where there is none."""
    begun = [index for index, one in enumerate(of.steps) if one.begun]
    index = step if step is not None else begun[-1] if begun else 0
    if index not in begun:
        raise errors.NotFound(f"step {index} of run {of.id} has not begun", errors.NO_LOG)
    key = bucket.log(of.id, index)
    if tail is None:
        if bucket.head(key) is None:
            raise errors.NotFound(f"step {index} of run {of.id} has no log", errors.NO_LOG)
        return answers.redirect(bucket.link(key, f"{of.id}-{index:03d}.txt", "text/plain; charset=utf-8", head=head))
    body = bucket.tail(key, tail)
    if body is None:
        raise errors.NotFound(f"step {index} of run {of.id} has no log", errors.NO_LOG)
    return Response(200, "text/plain; charset=utf-8", body.decode(errors="replace"))

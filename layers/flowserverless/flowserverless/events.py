"""The way in for Step Functions, events and schedules: plain dictionaries, logs that name the run, metrics."""

import functools
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from flowserverless import cold_start

logger = Logger(service="task")
# Signed URLs, a job's secret, and what people wrote.
NOT_LOGGED = ("manifestUrl", "job", "body")
metrics = Metrics(namespace="flowserverless", service="task")


def handler(
    operation: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The Lambda handler of an operation that machines call; what it raises is the caller's to retry."""
    cold_start.end()

    @functools.wraps(operation)
    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger.structure_logs(
            append=True,
            run=event.get("run"),
            workflow=event.get("workflow"),
            function_request_id=getattr(context, "aws_request_id", ""),
        )
        try:
            answer = operation(event)
        except Exception:
            logger.exception("operation failed")
            metrics.add_metric("FailedTasks", MetricUnit.Count, 1)
            metrics.flush_metrics()
            raise
        logger.info("done", extra={"answer": {k: v for k, v in answer.items() if k not in NOT_LOGGED}})
        return answer

    return handle

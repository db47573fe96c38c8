"""The log of every function: JSON lines, with the run or the request that they are about."""

from aws_lambda_powertools import Logger

logger = Logger(service="api")

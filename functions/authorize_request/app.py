"""The API's authorizer: tells every operation who is calling; what that permits the operation says."""

from typing import Any

from flowserverless import cold_start
from flowserverless.auth import authorizer

cold_start.end()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Let the request through, with what is known of its caller."""
    known = authorizer.context(event)
    api, stage = event["methodArn"].split("/")[:2]
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{api}/{stage}/*"}
    return {
        "principalId": known["user"] or "anonymous",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": known,
    }

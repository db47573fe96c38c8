"""What an administrator did to a user in Cognito, as CloudTrail tells: their tokens are refused from then on."""

from typing import Any

from flowserverless import events
from flowserverless.operations import watch


def watch_users(event: dict[str, Any]) -> dict[str, Any]:
    """Answer whose tokens are refused; nobody's where the record does not say who was meant."""
    return watch.users(event["detail"])


handler = events.handler(watch_users)

"""Credentials of callers (a Bearer token or `api_key`), and how the authorizer says what is wrong with them."""

from collections.abc import Iterator
from typing import Any

from flowserverless.domain import errors

NOT_LOGGED_IN = "not logged in"
SEVERAL = "more than one token was sent"
NOT_VALID = "token not valid"
EXPIRED = "token expired"
SIGNED_OUT = "signed out"
ENDED = "this user was disabled or deleted, or has to reset the password"
UNVERIFIABLE = "tokens cannot be verified at the moment"
# What JavaScript and Python clients send in place of the token that they do not have.
NOTHING = {"", "null", "undefined", "none"}


def refusal(problem: str) -> errors.Problem:
    """What a caller is told whom the authorizer did not recognise, in whose words `problem` says why.

    A token that cannot be judged is not called bad: the caller should keep it and try again.
    """
    if problem == UNVERIFIABLE:
        return errors.Unavailable(problem, errors.UNVERIFIABLE_TOKEN)
    return errors.Unauthenticated(problem or NOT_LOGGED_IN)


def presented(event: dict[str, Any]) -> list[str]:
    """The different tokens of a request: of `Authorization: Bearer` if there is one, else of `api_key`."""
    words = (value.split() for value in _values(event, "authorization"))
    bearers = [found[1] for found in words if len(found) == 2 and found[0].lower() == "bearer"]
    keys = (value.strip() for value in _values(event, "api_key"))
    return _real(bearers) or _real(keys)


def _values(event: dict[str, Any], header: str) -> Iterator[str]:
    # API Gateway keeps the case in which callers write names; `headers` has the last of several values only.
    several = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    return (value for name, values in several.items() if name.lower() == header for value in values)


def _real(tokens: Any) -> list[str]:
    return list(dict.fromkeys(token for token in tokens if token.lower() not in NOTHING))

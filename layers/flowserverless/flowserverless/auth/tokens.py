"""Verifies Cognito's access tokens. It needs PyJWT, which only the authorizer's layer carries."""

import json
import math
import os
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import jwt
from aws_lambda_powertools import Logger

from flowserverless.auth import credentials
from flowserverless.domain import frozen

logger = Logger(service="authorizer")
CLAIMS = ["exp", "iat", "iss", "sub", "jti", "client_id", "token_use", "username"]
LEEWAY_SECONDS = 5  # clocks differ; Cognito's may be ahead when a new token is used at once
MAX_TOKEN_LENGTH = 8192
TIMEOUT_SECONDS = 3
KEEP_SECONDS = 3600
PAUSE_SECONDS = 60
RETRY_SECONDS = 5


class Refused(Exception):
    """The caller is nobody; the message says why, in words of `credentials`."""


class Unavailable(Exception):
    """Cognito's keys cannot be fetched, so nothing can be said of the token."""


@frozen.dataclass
class Identity:
    """Whom a token speaks for; `since` and `expires` are Unix times of signing in and of the token's end."""

    user: str
    name: str
    roles: tuple[str, ...]
    token: str
    since: int
    expires: int


def issuer(pool: str) -> str:
    """The `iss` of a user pool's tokens; a pool's id begins with its region."""
    return f"https://cognito-idp.{pool.split('_')[0]}.amazonaws.com/{pool}"


def keys_url(pool: str) -> str:
    """Where the pool's public keys are; COGNITO_URL or a local stack's endpoint stand in for AWS."""
    local = os.environ.get("COGNITO_URL") or os.environ.get("AWS_ENDPOINT_URL")
    base = f"{local.rstrip('/')}/{pool}" if local else issuer(pool)
    return f"{base}/.well-known/jwks.json"


def download(url: str) -> Any:
    """The JSON document at `url`; raises OSError or ValueError."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 the URL is configuration
        return json.loads(answer.read(1_000_000))


class Keys:
    """A pool's public keys by their id, kept as long as the process lives.

    They are fetched when a token names an unknown key, and every KEEP_SECONDS, so that a withdrawn key is
    forgotten. Whatever strangers make up, that happens once in PAUSE_SECONDS; after a failure again in
    RETRY_SECONDS, and what is known stays in use.
    """

    def __init__(
        self, url: str, fetch: Callable[[str], Any] = download, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = -math.inf
        self._failed = False

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key; None when the pool has none of this id. Raises Unavailable when that cannot be known."""
        now = self._clock()
        unknown = key_id not in self._keys
        pause = RETRY_SECONDS if unknown and self._failed else PAUSE_SECONDS
        if (unknown or now - self._fetched > KEEP_SECONDS) and now - self._tried >= pause:
            self._refresh(now)
        if key_id not in self._keys and self._failed:
            raise Unavailable
        return self._keys.get(key_id)

    def _refresh(self, now: float) -> None:
        self._tried = now
        try:
            keys = [jwt.PyJWK(key) for key in self._fetch(self._url)["keys"] if key.get("kty") == "RSA"]
        except Exception:
            # Whatever it is, an answer that is no key set must not take away the keys that are known.
            logger.exception("the keys of the user pool cannot be fetched")
            self._failed = True
            return
        self._keys = {key.key_id: key for key in keys if key.key_id}
        self._fetched, self._failed = now, False


def verify(token: str, keys: Keys, pool: str, client: str) -> Identity:
    """Whom an access token of this pool and client speaks for. Raises Refused, Unavailable."""
    try:
        claims = _claims(token, keys, pool)
    except jwt.ExpiredSignatureError:
        raise Refused(credentials.EXPIRED) from None
    except (jwt.PyJWTError, ValueError):
        # PyJWT lets through that a token cannot even be encoded.
        raise Refused(credentials.NOT_VALID) from None
    if (claims["token_use"], claims["client_id"]) != ("access", client):
        raise Refused(credentials.NOT_VALID)
    return Identity(
        user=str(claims["sub"]),
        name=str(claims["username"]),
        # Roles travel in one text, separated by commas; Cognito allows commas in the name of a group.
        roles=tuple(group for group in claims.get("cognito:groups", []) if "," not in group),
        token=str(claims["jti"]),
        since=int(claims.get("auth_time", claims["iat"])),
        expires=int(claims["exp"]),
    )


def _claims(token: str, keys: Keys, pool: str) -> dict[str, Any]:
    header = jwt.get_unverified_header(token) if len(token) <= MAX_TOKEN_LENGTH else {}
    # Before a key is looked for, because looking may cost a request.
    key = keys.find(str(header.get("kid", ""))) if header.get("alg") == "RS256" else None
    if key is None:
        raise jwt.InvalidTokenError
    # Cognito's access tokens name their client in client_id; `aud`, if any, is about other services.
    return jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        issuer=issuer(pool),
        leeway=LEEWAY_SECONDS,
        options={"require": CLAIMS, "verify_aud": False},
    )

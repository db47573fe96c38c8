"""Authenticates a request: the caller's identity, or why there is none."""

import dataclasses
import functools
from typing import Any

from flowserverless import settings
from flowserverless.auth import credentials, tokens
from flowserverless.aws import cognito
from flowserverless.store import revocations


@functools.cache
def _keys(url: str) -> tokens.Keys:
    return tokens.Keys(url)


def identify(event: dict[str, Any]) -> tokens.Identity:
    """Whom the request's token speaks for. Raises tokens.Refused, tokens.Unavailable."""
    presented = credentials.presented(event)
    if not presented:
        raise tokens.Refused(credentials.NOT_LOGGED_IN)
    if len(presented) > 1:
        raise tokens.Refused(credentials.SEVERAL)
    known = settings.current()
    keys = _keys(tokens.keys_url(known.user_pool_id))
    identity = tokens.verify(presented[0], keys, known.user_pool_id, known.user_pool_client_id)
    if revocations.is_signed_out(identity.token, identity.user, identity.since):
        raise tokens.Refused(credentials.SIGNED_OUT)
    return _as_of_now(identity)


def _as_of_now(identity: tokens.Identity) -> tokens.Identity:
    """The identity without the roles that its user has lost. Raises Refused when there is no such user any more.

    A token says what was so when its user signed in. What an administrator did since then, only Cognito knows.
    """
    if not cognito.may_act(identity.user, identity.name):
        raise tokens.Refused(credentials.ENDED)
    if not identity.roles:
        return identity
    roles = cognito.roles(identity.name)
    return dataclasses.replace(identity, roles=tuple(role for role in identity.roles if role in roles))


def context(event: dict[str, Any]) -> dict[str, str]:
    """What operations are told of the caller: user, name, roles, token, or in `problem` why there is no user.

    Never raises: a request that cannot be judged is a stranger's.
    """
    try:
        identity = identify(event)
    except tokens.Refused as refusal:
        return _nobody(str(refusal))
    except tokens.Unavailable:
        return _nobody(credentials.UNVERIFIABLE)
    except Exception:
        tokens.logger.exception("the request cannot be judged")
        return _nobody(credentials.UNVERIFIABLE)
    return {
        "user": identity.user,
        "name": identity.name,
        "roles": ",".join(identity.roles),
        "problem": "",
        "tokenId": identity.token,
        "expires": str(identity.expires),
    }


def _nobody(problem: str) -> dict[str, str]:
    return {"user": "", "name": "", "roles": "", "problem": problem}

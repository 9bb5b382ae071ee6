"""Proof that an internal call comes from us: a token in the form of Google's OIDC.

Locally a shared secret signs; on Google Cloud the platform does. Either way a token
names its audience and its caller, and the worker checks both.
"""

import http.client
import json
import time
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from urllib.parse import urlsplit

import jwt
from pydantic import SecretStr

ISSUER = "https://pegasus.internal"
QUEUE = "queue@pegasus.internal"  # rings for jobs
SCHEDULER = "scheduler@pegasus.internal"  # rings for the sweep
EVENTS = "events@pegasus.internal"  # pushes messages
SERVICES = "services@pegasus.internal"  # the API and the worker, towards the queue

_ALGORITHM = "HS256"
_LIFETIME_SECONDS = 300  # a call is answered or given up long before
_LEEWAY_SECONDS = 30  # clocks differ


class BadToken(Exception):
    """The token is malformed, expired, or not for this audience."""


def sign(secret: SecretStr, *, audience: str, caller: str) -> str:
    """Return a token that lets ``caller`` in at ``audience`` for a few minutes."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": audience,
        "email": caller,
        "email_verified": True,
        "iat": now,
        "exp": now + _LIFETIME_SECONDS,
    }
    return jwt.encode(claims, secret.get_secret_value(), _ALGORITHM)


def caller(secret: SecretStr, token: str, *, audience: str) -> str:
    """Return who signed the call.

    Raises:
        BadToken: not signed by us, expired, or meant for somebody else.
    """
    try:
        claims = jwt.decode(
            token,
            secret.get_secret_value(),
            algorithms=[_ALGORITHM],
            audience=audience,
            issuer=ISSUER,
            leeway=_LEEWAY_SECONDS,
            options={
                "require": ["exp", "iat", "iss", "aud", "email"],
                "strict_aud": True,  # for us alone
            },
        )
    except jwt.InvalidTokenError as exc:
        raise BadToken(str(exc)) from exc
    if claims.get("email_verified") is not True:
        raise BadToken("e-mail not verified")
    return str(claims["email"])


def post(
    url: str,
    document: object,
    *,
    token: str,
    timeout_seconds: float,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """POST JSON to one of our own services and return the HTTP status.

    Raises:
        OSError: it cannot be reached, or did not answer in time.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=timeout_seconds
    )
    sent = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        **headers,
    }
    with closing(connection):
        try:
            connection.request("POST", address.path, json.dumps(document), sent)
            return connection.getresponse().status
        except http.client.HTTPException as exc:
            raise ConnectionError(f"{type(exc).__name__}: {exc}") from exc

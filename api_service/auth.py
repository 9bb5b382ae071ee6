"""Who may call: checked before a route runs, so that no route can forget it.

A route is open for reading and guarded for writing unless ``ACCESS`` says otherwise.
With ``PLC_READ_API_TOKEN`` set nothing but health and documentation is open.
"""

import hmac
from enum import Enum, auto

from flask import Flask, request
from pydantic import SecretStr

from api_service.context import deps
from common.errors import AppError

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Unauthorized(AppError):
    """Missing or invalid Authorization header."""

    status = 401
    code = "unauthorized"


class Forbidden(AppError):
    """Invalid API token."""

    status = 403
    code = "forbidden"


class Access(Enum):
    """What a route asks of its caller."""

    OPEN = auto()  # nothing, ever: it tells nothing of anybody
    READ = auto()  # the read token, where the deployment has one
    WRITE = auto()  # the write token, where the deployment has one


# Only what differs from the rule: reading asks READ, anything else asks WRITE.
ACCESS = {
    "health.health": Access.OPEN,
    "health.live": Access.OPEN,
    "health.ready": Access.OPEN,
    "documentation.description": Access.OPEN,
    "documentation.page": Access.OPEN,
    "documentation.asset": Access.OPEN,
    "deletions.audit": Access.WRITE,
}


def register(app: Flask) -> None:
    """Have every request checked before its route runs."""
    app.before_request(_check)


def access_of(endpoint: str, method: str) -> Access:
    """Return what an endpoint asks of its caller."""
    usual = Access.READ if method in _SAFE_METHODS else Access.WRITE
    return ACCESS.get(endpoint, usual)


def _check() -> None:
    if request.endpoint is None or request.method == "OPTIONS":
        return  # an unknown path or method: there is nothing to guard
    settings = deps().settings
    match access_of(request.endpoint, request.method):
        case Access.WRITE:
            _require(settings.write_api_token)
        case Access.READ:
            _require(settings.read_api_token, settings.write_api_token)
        case Access.OPEN:
            pass


def _require(token: SecretStr | None, *others: SecretStr | None) -> None:
    """Let the bearer of ``token`` in, or of another that counts as much.

    Without a token in the settings the door is open.
    """
    if token is None:
        return
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not sent.strip():
        raise Unauthorized
    accepted = [t.get_secret_value() for t in (token, *others) if t is not None]
    matches = [_same(sent.strip(), one) for one in accepted]  # all: constant time
    if not any(matches):
        raise Forbidden


def _same(sent: str, token: str) -> bool:
    return hmac.compare_digest(sent.encode(), token.strip().encode())

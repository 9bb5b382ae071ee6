"""Who may call: checked before a route runs, so that no route can forget it.

A route is open for reading and guarded for writing unless ``ACCESS`` says otherwise.
With ``PLC_READ_API_TOKEN`` set nothing but health and documentation is open.
"""

import hmac
from enum import Enum, auto
from hashlib import sha256

from flask import Flask, request
from pydantic import SecretStr

from api_service.context import deps
from common.errors import AppError
from common.settings import Settings

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
    "upload_contents.receive": Access.OPEN,  # whoever has its URL may, as a bucket's
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
    read, write = settings.read_api_token, settings.write_api_token
    match access_of(request.endpoint, request.method):
        case Access.WRITE:
            # Who sets only a read token wants no strangers: least of all to write.
            _require(*(_writers(settings) if write else _readers(settings)))
        case Access.READ if read is not None:
            _require(*_readers(settings), *_writers(settings))
        case _:
            pass


def _writers(settings: Settings) -> list[SecretStr]:
    return _valid(settings.write_api_token, settings.old_write_api_token)


def _readers(settings: Settings) -> list[SecretStr]:
    return _valid(settings.read_api_token, settings.old_read_api_token)


def _valid(token: SecretStr | None, old: SecretStr | None) -> list[SecretStr]:
    """Return the tokens that let in: an old one only beside its successor."""
    return [each for each in (token, old) if token is not None and each is not None]


def _require(*accepted: SecretStr) -> None:
    """Let the bearer of one of these in; without any the door is open."""
    if not accepted:
        return
    # A server hands over a header's bytes as Latin-1.
    header = request.headers.get("Authorization", "").encode("latin-1", "replace")
    scheme, _, sent = header.partition(b" ")
    if scheme.lower() != b"bearer" or not sent.strip():
        raise Unauthorized
    matches = [_same(sent.strip(), token) for token in accepted]  # all of them
    if not any(matches):
        raise Forbidden


def _same(sent: bytes, token: SecretStr) -> bool:
    """Compare in a time that tells nothing, not even how long the token is."""
    expected = token.get_secret_value().strip().encode()
    return hmac.compare_digest(sha256(sent).digest(), sha256(expected).digest())

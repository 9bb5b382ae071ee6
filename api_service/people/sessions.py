"""What people log in with: tokens that say who they are, and how to end them all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

import jwt

from common.errors import AppError
from common.models import User
from common.settings import Settings

_ALGORITHM = "HS256"  # never the token's choice
_LEEWAY_SECONDS = 30  # clocks of several instances differ
_LONG_TERM_PREFIX = "wiz_"  # so that a leaked one is recognised, by us and by scanners
_LONG_TERM_BYTES = 32
_LAST_ID = 2**31 - 1


class BadSession(AppError):
    """Invalid or expired token"""  # noqa: D415 - clients know it like this

    status = 401
    code = "unauthorized"


class NotConfigured(AppError):
    """SECRET_KEY is not configured"""  # noqa: D415 - clients know it like this


@dataclass(frozen=True, slots=True)
class Session:
    """What a token says. Whether it is still so, its user's row tells."""

    user_id: int
    version: int


def begin(settings: Settings, user: User) -> str:
    """Return a token for a person who has proved to be this user.

    Browsers read ``email``, ``name``, ``profile_image_url`` and ``exp`` in it.
    """
    now = datetime.now(UTC)
    claims = {
        "user_id": user.id,
        "email": user.email,
        "name": user.name or user.email,
        "profile_image_url": user.picture_url,
        "version": user.token_version,
        "iat": now,
        "exp": now + timedelta(hours=settings.jwt_expiry_hours),
    }
    return jwt.encode(claims, _key(settings), _ALGORITHM)


def read(settings: Settings, token: str) -> Session:
    """Return what a token of ours says.

    Raises:
        BadSession: we have not signed it, it has expired, or it is of another kind.
        NotConfigured: this deployment has no accounts.
    """
    claims = _signed(token, _key(settings))
    if claims.get("type") == "long_term":
        text = "Long-term tokens are not allowed for this endpoint"
        raise BadSession(text)
    if "user_id" not in claims:
        raise BadSession("Invalid token payload")
    times = [claims["iat"], claims["exp"], claims.get("nbf", 0)]
    numbers = [claims["user_id"], claims.get("version"), *times]
    if any(type(number) is not int for number in numbers) or "type" in claims:
        raise BadSession
    if not 0 < claims["user_id"] <= _LAST_ID:
        raise BadSession
    return Session(claims["user_id"], claims["version"])


def long_term_token() -> str:
    """Return a new token for a tool; it says nothing of whose it is."""
    return _LONG_TERM_PREFIX + token_urlsafe(_LONG_TERM_BYTES)


def is_long_term(token: str) -> bool:
    """Return whether a token claims to be a tool's."""
    return token.startswith(_LONG_TERM_PREFIX)


def digest(token: str) -> str:
    """Return what is kept of a credential; a fast hash is right for random ones."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def looks_like_one(token: str) -> bool:
    """Return whether this was meant to be a token of ours, good or bad."""
    return token.count(".") == 2  # noqa: PLR2004 - header, claims, signature


def _key(settings: Settings) -> str:
    if settings.secret_key is None:
        raise NotConfigured
    return settings.secret_key.get_secret_value()


def _signed(token: str, key: str) -> Mapping[str, Any]:
    """Return the claims of a token with our signature whose time has come.

    The library's texts are not passed on: they hold parts of the token.
    """
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iat"], "verify_aud": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as exc:
        raise BadSession from exc
    except RecursionError:  # JSON so deep that its trace would be of no use
        raise BadSession from None
    return claims

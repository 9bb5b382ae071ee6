"""Tokens that Google has signed, of whatever kind: whether they are good."""

import time
from collections.abc import Mapping
from typing import Any

from google.auth import jwt
from google.auth.exceptions import GoogleAuthError

from common.providers.identity import BadToken
from common.providers.identity.google_certificates import Certificates

# Source: https://cloud.google.com/docs/authentication/token-types, read 2026-11
_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_ALGORITHM = "RS256"  # the only one that Google uses; never the token's choice
_LEEWAY_SECONDS = 30  # clocks differ


def claims_of(
    token: str, certificates: Certificates, *, audience: str
) -> Mapping[str, Any]:
    """Return what Google says in a token for this audience, now.

    Raises:
        BadToken: it is malformed, expired, for somebody else, or not of Google.
        ProviderUnavailable: the certificates cannot be had for now.
    """
    claims = _signed(token, certificates, audience)
    _check_times(claims)
    if claims.get("iss") not in _ISSUERS:
        raise BadToken("another issuer")
    return claims


def _signed(token: str, certificates: Certificates, audience: str) -> Mapping[str, Any]:
    """Return the claims of a token that Google signed for our audience.

    The library's texts are not passed on: they hold parts of the token.
    """
    try:
        pem = certificates.get(_key_id(token))
        claims: Mapping[str, Any] = jwt.decode(  # type: ignore[no-untyped-call]
            token,
            certs=pem,
            audience=audience,
            clock_skew_in_seconds=_LEEWAY_SECONDS,
        )
    except (GoogleAuthError, ValueError, TypeError) as exc:
        raise BadToken(f"not valid ({type(exc).__name__})") from exc
    except RecursionError:  # JSON so deep that its trace would be of no use
        raise BadToken("not valid") from None
    return claims


def _key_id(token: str) -> str:
    """Return which key is said to have signed; all else in the header is not heeded."""
    header = jwt.decode_header(token)  # type: ignore[no-untyped-call]
    if header.get("alg") != _ALGORITHM or "crit" in header:
        raise BadToken("another algorithm")
    if not isinstance(kid := header.get("kid"), str):
        raise BadToken("no key id")
    return kid


def _check_times(claims: Mapping[str, Any]) -> None:
    """Refuse what the library lets pass: odd numbers, and a beginning to come."""
    times = [claims["iat"], claims["exp"], claims.get("nbf", 0)]
    if any(type(moment) is not int for moment in times):
        raise BadToken("no valid times")
    if times[2] > time.time() + _LEEWAY_SECONDS:
        raise BadToken("not valid yet")

"""Callers on Google Cloud: each role has a service account, and Google signs for it."""

import time
from collections.abc import Mapping
from typing import Any, Self

from google.auth import jwt
from google.auth.exceptions import GoogleAuthError

from common.providers.identity import EVENTS, QUEUE, SCHEDULER, BadToken, Stranger
from common.providers.identity.google_certificates import Certificates
from common.settings import Settings

# Source: https://cloud.google.com/docs/authentication/token-types, read 2026-11
_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_ALGORITHM = "RS256"  # the only one that Google uses; never the token's choice
_LEEWAY_SECONDS = 30  # clocks differ


class GoogleIdentity:
    """Checks OIDC tokens of service accounts."""

    def __init__(
        self, roles: Mapping[str, str], *, audience: str, certs_url: str
    ) -> None:
        """Fetch nothing yet.

        Args:
            roles: e-mail of a service account to ``QUEUE``, ``SCHEDULER``, ``EVENTS``.
            audience: of the worker; compared as a whole.
            certs_url: of a document ``{kid: PEM}``.
        """
        self._roles = dict(roles)
        self._audience = audience.rstrip("/")
        self._certificates = Certificates(certs_url)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the check for the accounts of the settings; all of them differ."""
        accounts = {
            settings.tasks_service_account: QUEUE,
            settings.scheduler_service_account: SCHEDULER,
            settings.events_service_account: EVENTS,
        }
        return cls(
            {email: role for email, role in accounts.items() if email},
            audience=settings.worker_audience or settings.worker_url,
            certs_url=settings.oidc_certs_url,
        )

    def caller(self, token: str) -> str:  # noqa: D102
        claims = self._signed(token)
        _check_times(claims)
        if claims.get("iss") not in _ISSUERS:
            raise BadToken("another issuer")
        if claims.get("email_verified") is not True:
            raise BadToken("e-mail not verified")
        if not isinstance(email := claims.get("email"), str):
            raise BadToken("no e-mail")
        if email not in self._roles:
            raise Stranger("nobody of ours")
        return self._roles[email]

    def _signed(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that Google signed for our audience.

        The library's texts are not passed on: they hold parts of the token.
        """
        try:
            pem = self._certificates.get(_key_id(token))
            claims: Mapping[str, Any] = jwt.decode(  # type: ignore[no-untyped-call]
                token,
                certs=pem,
                audience=self._audience,
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

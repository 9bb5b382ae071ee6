"""Callers on Google Cloud: each role has a service account, and Google signs for it."""

from collections.abc import Mapping
from typing import Self

from common.providers.identity import EVENTS, QUEUE, SCHEDULER, BadToken, Stranger
from common.providers.identity.google_certificates import Certificates
from common.providers.identity.google_tokens import claims_of
from common.settings import Settings


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
        claims = claims_of(token, self._certificates, audience=self._audience)
        if claims.get("email_verified") is not True:
            raise BadToken("e-mail not verified")
        if not isinstance(email := claims.get("email"), str):
            raise BadToken("no e-mail")
        if email not in self._roles:
            raise Stranger("nobody of ours")
        return self._roles[email]

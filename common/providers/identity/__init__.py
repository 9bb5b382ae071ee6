"""Who it is: proved by a token in the form of Google's OIDC."""

from dataclasses import dataclass
from typing import Protocol, assert_never

from common.settings import Settings

QUEUE = "queue"  # rings for jobs
SCHEDULER = "scheduler"  # rings for the sweep and the retention
EVENTS = "events"  # pushes messages


class BadToken(Exception):
    """The token is malformed, expired, not for us, or of a stranger."""


class Stranger(BadToken):
    """The token is good, but its owner has no business with us."""


class Identity(Protocol):
    """Tell from a bearer token who of ours calls."""

    def caller(self, token: str) -> str:
        """Return ``QUEUE``, ``SCHEDULER`` or ``EVENTS``.

        Raises:
            BadToken: nobody signed this for the worker.
            Stranger: somebody did who is none of ours.
            ProviderUnavailable: the keys to check it with cannot be had for now.
        """


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in. The e-mail is verified; it may have changed since the last time."""

    subject: str
    email: str | None
    name: str | None
    picture_url: str | None


class People(Protocol):
    """Tell from a token who signs in."""

    def person(self, token: str) -> Person:
        """Return the person.

        Raises:
            BadToken: nobody signed this for us, or the e-mail is not verified.
            ProviderUnavailable: the keys to check it with cannot be had for now.
        """


def people_from_settings(settings: Settings) -> People | None:
    """Return who vouches for people, if anybody does: only Google can."""
    if settings.google_client_id is None:
        return None
    from common.providers.identity.google_people import GooglePeople

    return GooglePeople(settings.google_client_id, certs_url=settings.oidc_certs_url)


def from_settings(settings: Settings) -> Identity:
    """Return the check that the settings name."""
    match settings.identity:
        case "secret":
            from common.providers.identity.secret import SharedSecret

            return SharedSecret(
                settings.internal_secret,
                audience=settings.worker_audience or settings.worker_url,
            )
        case "google":
            from common.providers.identity.google import GoogleIdentity

            return GoogleIdentity.from_settings(settings)
        case other:
            assert_never(other)

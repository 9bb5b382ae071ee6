"""Who may ring: only our own queue and scheduler, each for its own routes."""

from collections.abc import Callable

from flask import request
from werkzeug.exceptions import Forbidden, Unauthorized

from common.providers import internal_calls
from common.settings import Settings


def only(settings: Settings, caller: str) -> Callable[[], None]:
    """Return a check for ``before_request`` that lets only ``caller`` in."""
    audience = settings.worker_url.rstrip("/")

    def check() -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized
        try:
            found = internal_calls.caller(
                settings.internal_secret, token.strip(), audience=audience
            )
        except internal_calls.BadToken as exc:
            raise Unauthorized from exc
        if found != caller:
            raise Forbidden

    return check

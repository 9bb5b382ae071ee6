"""Who may ring: only our own queue, scheduler and events, each for its own routes."""

import logging
import re
from collections.abc import Callable

from flask import request
from werkzeug.exceptions import Forbidden, ServiceUnavailable, Unauthorized

from common.errors import ProviderUnavailable
from common.providers.identity import BadToken, Identity, Stranger

log = logging.getLogger(__name__)

# The compact form with all three parts, as Google sends it, and nothing behind it.
_BEARER = re.compile(r"bearer +([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
_MAX_CHARACTERS = 4096  # Google's tokens have some 1,000
_RETRY_AFTER_SECONDS = 5  # as long as the keys are not asked for again


def only(identity: Identity, caller: str) -> Callable[[], None]:
    """Return a check for ``before_request`` that lets only ``caller`` in.

    It answers 401 to who cannot prove who he is, 403 to who has no business here, and
    503 while the keys to check a token with cannot be had.
    """

    def check() -> None:
        try:
            found = identity.caller(_token())
        except BadToken as exc:
            log.warning("caller.refused", extra={"detail": str(exc)})
            raise (Forbidden if isinstance(exc, Stranger) else Unauthorized) from exc
        except ProviderUnavailable as exc:
            raise ServiceUnavailable(retry_after=_RETRY_AFTER_SECONDS) from exc
        if found != caller:
            log.warning("caller.refused", extra={"detail": f"{found} at another's"})
            raise Forbidden

    return check


def _token() -> str:
    """Return the bearer token of the request, unread."""
    header = request.headers.get("Authorization", "")
    if len(header) > _MAX_CHARACTERS:
        raise BadToken("too long")
    found = _BEARER.fullmatch(header)
    if found is None:
        raise BadToken("no bearer token")
    return found[1]

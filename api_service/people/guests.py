"""Session ids for guests: those that we issue are random, and known to be ours."""

import hmac
from hashlib import sha256
from secrets import token_urlsafe

from common.settings import Settings

_PREFIX = "g1."
_RANDOM_BYTES = 24  # nobody guesses another guest's talks
_PURPOSE = b"guest session:"  # the key signs other things, too


def issue(settings: Settings) -> str:
    """Return a new session id. Whoever sends it is this guest, so it is a secret."""
    body = _PREFIX + token_urlsafe(_RANDOM_BYTES)
    return f"{body}.{_signature(settings, body)}"


def is_forged(settings: Settings, session_id: str) -> bool:
    """Return whether an id claims to be ours and is not; clients make some, too."""
    if not session_id.startswith(_PREFIX):
        return False
    body, _, signature = session_id.rpartition(".")
    expected = _signature(settings, body).encode()
    return not hmac.compare_digest(signature.encode("latin-1", "replace"), expected)


def _signature(settings: Settings, body: str) -> str:
    secret = settings.secret_key or settings.internal_secret
    key = secret.get_secret_value().encode()
    return hmac.new(key, _PURPOSE + body.encode(), sha256).hexdigest()

"""The certificates of Google's signing keys, kept for a while."""

import json
import logging
import threading
import time
from http import HTTPStatus

from google.auth.exceptions import GoogleAuthError

from common.errors import ProviderUnavailable
from common.providers.identity import BadToken

log = logging.getLogger(__name__)

_FRESH_SECONDS = 3600  # new keys are published hours before they sign
_USABLE_SECONDS = 86_400  # keys sign for days, so an outage of the page harms nobody
_PAUSE_SECONDS = 60  # between two fetches, whatever keys the tokens name
_RETRY_SECONDS = 5  # after a failed one: all callers wait for it
_TIMEOUT_SECONDS = 3.0  # a fetch takes some 50 ms; the caller waits for it


class Certificates:
    """Fetched when a token needs them; one that names an unknown key costs nothing."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._pems: dict[str, str] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def get(self, kid: str) -> str:
        """Return the certificate of a key as PEM.

        Raises:
            BadToken: Google has no such key.
            ProviderUnavailable: its keys cannot be had for now.
        """
        if kid not in self._pems or self._age() > _FRESH_SECONDS:
            with self._lock:
                self._refresh()
        if kid in self._pems and self._age() <= _USABLE_SECONDS:
            return self._pems[kid]
        if self._fetched_at < self._tried_at:
            raise ProviderUnavailable("Google's certificates cannot be fetched.")
        raise BadToken("signed with an unknown key")

    def _age(self) -> float:
        return time.monotonic() - self._fetched_at

    def _refresh(self) -> None:
        now = time.monotonic()
        failed = self._fetched_at < self._tried_at
        if now - self._tried_at < (_RETRY_SECONDS if failed else _PAUSE_SECONDS):
            return
        self._tried_at = now
        try:
            self._pems = self._fetched()
        except (GoogleAuthError, ValueError) as exc:
            log.warning("certificates.failed", extra={"error": type(exc).__name__})
        else:
            self._fetched_at = now

    def _fetched(self) -> dict[str, str]:
        """Fetch the document.

        Raises:
            ValueError: it is not what it should be.
        """
        from google.auth.transport.requests import (  # noqa: PLC0415 - takes 0.3 s, which a start need not wait for
            Request,
        )

        response = Request()(self._url, timeout=_TIMEOUT_SECONDS)
        if response.status != HTTPStatus.OK:
            raise ValueError(f"HTTP {response.status}")
        document = json.loads(response.data)
        if not isinstance(document, dict):
            raise ValueError("not a document of certificates")  # noqa: TRY004 - see above
        return {kid: pem for kid, pem in document.items() if isinstance(pem, str)}

"""One HTTP request to a part of Pegasus, and the answer, whatever it is."""

import http.client
import json
import ssl
import time
from contextlib import closing
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

_PATIENCE_SECONDS = 5  # Cloud Run starts an instance in 2 to 4 s
_MOST_BYTES = 64 * 1024  # of an answer: a health document has some 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``asked_at`` is our clock in the middle of the call."""

    status: int
    headers: Message
    body: bytes = field(repr=False)
    asked_at: float

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object of the body; empty if there is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def ok(self) -> bool:
        """Whether it is 200."""
        return self.status == HTTPStatus.OK


def is_web_address(url: str) -> bool:
    """Tell whether ``ask`` can ask there."""
    try:
        address = urlsplit(url)
        return (
            address.scheme in {"http", "https"}
            and bool(address.hostname)
            and (address.port or 1) > 0
        )
    except ValueError:  # a port that is no number
        return False


def ask(
    url: str,
    *,
    method: str = "GET",
    token: str | None = None,
    document: object = None,
) -> Answer:
    """Return the answer; no redirect is followed, and no proxy asked.

    Args:
        url: ``http`` or ``https``, with its path.
        method: of the request.
        token: shown as a bearer token.
        document: sent as JSON, if any.

    Raises:
        OSError: there is no answer; the text says why and holds no token.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = None if document is None else json.dumps(document)
    if body is not None:
        headers["Content-Type"] = "application/json"
    with closing(_connection(url)) as connection:
        try:
            before = time.time()
            connection.request(method, urlsplit(url).path or "/", body, headers)
            reply = connection.getresponse()
            middle = (before + time.time()) / 2
            content = reply.read(_MOST_BYTES)
        except http.client.HTTPException as exc:
            raise ConnectionError(f"no HTTP answer ({type(exc).__name__})") from exc
    return Answer(reply.status, reply.headers, content, middle)


def reason(exc: OSError) -> str:
    """Return why nobody answered, in few words."""
    match exc:
        case ConnectionRefusedError():
            return "nobody listens there"
        case TimeoutError():
            return f"no answer within {_PATIENCE_SECONDS} s"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not good: {exc.verify_message}"
        case _:
            return exc.strerror or str(exc) or type(exc).__name__


def _connection(url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    host = address.hostname or ""
    if address.scheme == "https":
        return http.client.HTTPSConnection(
            host,
            address.port,
            timeout=_PATIENCE_SECONDS,
            context=ssl.create_default_context(),
        )
    return http.client.HTTPConnection(host, address.port, timeout=_PATIENCE_SECONDS)

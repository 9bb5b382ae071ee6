"""The OpenAI client, and what its failures mean to us.

It serves any server that speaks the same protocol, so nothing in an answer is taken
for granted. Retries are the job queue's: the client makes none of its own.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

import httpx2
from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    DefaultHttpxClient,
    OpenAI,
    OpenAIError,
    Stream,
)
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, ValidationError

from common.errors import (
    BadRequest,
    ProviderAuthError,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
)
from common.providers.bounded_http import bound
from common.settings import Settings

Shape = TypeVar("Shape", bound=BaseModel)

_BASE_URL = "https://api.openai.com/v1"
_CONNECT_SECONDS = 10  # a TLS handshake takes well under one; then it is the network
_WRITE_SECONDS = 60  # between two pieces of a 25 MB upload on a slow line
_POOL_SECONDS = 60  # as many callers as the pool has places are already waiting
_MAX_WAIT_SECONDS = 3600  # no rate limit we know of is reset later than that
_MESSAGE_LENGTH = 200  # enough for the reason, too short for a page of HTML

_OUT_OF_MONEY = {
    "insufficient_quota",
    "billing_not_active",
    "billing_hard_limit_reached",
}
_PASSING = {408, 409, 425}  # time-out, lock, replay: gone at the next try
_KEY_LIKE = re.compile(r"\bsk-[\w*.-]+")  # servers quote the key half masked


class RawReply(Protocol):
    """An HTTP answer whose body is read."""

    @property
    def content(self) -> bytes:
        """The body."""


def openai_client(settings: Settings, *, read_seconds: float) -> OpenAI:
    """Return a client that waits ``read_seconds`` at most for the next byte.

    Raises:
        BadRequest: no key is set, or it cannot be one.
    """
    return OpenAI(
        api_key=_key(settings),
        base_url=settings.openai_base_url or _BASE_URL,
        max_retries=0,
        # Unpacked, so that the bound on the answer's size holds.
        default_headers={"Accept-Encoding": "identity"},
        http_client=DefaultHttpxClient(
            # A redirect of a POST loses the body or carries it to another host.
            follow_redirects=False,
            timeout=httpx2.Timeout(
                connect=_CONNECT_SECONDS,
                read=read_seconds,
                write=_WRITE_SECONDS,
                pool=_POOL_SECONDS,
            ),
            event_hooks={"response": [bound]},
        ),
    )


def ask(client: OpenAI, send: Callable[[], RawReply], shape: type[Shape]) -> Shape:
    """Send a request and return the answer in its documented form.

    Raises:
        ProviderBusy: HTTP 429; wait, then try again.
        ProviderUnavailable: no answer, half an answer or HTTP 5xx; try again.
        ProviderAuthError: HTTP 401 or 403.
        ProviderError: the request is refused, the account is out of money
            (``provider_quota``), or the answer has another form
            (``provider_schema``); do not try again.
    """
    try:
        content = send().content
    except OpenAIError as exc:
        # Not chained: the text of the SDK's error quotes an answer that may
        # repeat the key, and a chain is logged.
        raise _translated(exc, client.api_key) from None
    return _parsed(content, shape)


def listen(
    client: OpenAI,
    send: Callable[[], Stream[ChatCompletionChunk]],
    shape: type[Shape],
) -> Iterator[Shape]:
    """Send a request and yield the pieces of its answer as they come.

    Raises:
        ProviderError: or one of its subclasses, as ``ask`` does.
    """
    try:
        with send() as stream:
            for chunk in stream:
                document = chunk.to_dict() if isinstance(chunk, BaseModel) else chunk
                yield _shaped(document, shape)
    except OpenAIError as exc:
        raise _translated(exc, client.api_key) from None  # for the reason given above
    except ValueError:
        raise ProviderUnavailable(
            "openai: the answer is cut short or not JSON."
        ) from None


def _key(settings: Settings) -> str:
    secret = settings.openai_api_key
    key = secret.get_secret_value() if secret else ""
    if not key:
        raise BadRequest(
            "Provider 'openai' is not configured: set OPENAI_API_KEY.",
            code="provider_not_configured",
        )
    if not (key.isascii() and key.isprintable()):
        raise BadRequest(
            "Provider 'openai' is not configured: OPENAI_API_KEY is not a key.",
            code="provider_not_configured",
        )
    return key


def _parsed(content: bytes, shape: type[Shape]) -> Shape:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ProviderUnavailable(
            "openai: the answer is cut short or not JSON."
        ) from None
    return _shaped(document, shape)


def _shaped(document: object, shape: type[Shape]) -> Shape:
    try:
        return shape.model_validate(document)
    except ValidationError as exc:
        where = ".".join(str(part) for part in exc.errors()[0]["loc"])
        raise ProviderError(
            f"openai: the answer has another form than documented, at '{where}'.",
            code="provider_schema",
        ) from None


def _translated(exc: OpenAIError, key: str) -> ProviderError:
    if isinstance(exc, APIStatusError):
        error = _of_status(exc, _said(exc, key))
        # Only what was refused is surely free.
        error.may_cost = exc.status_code >= 500  # noqa: PLR2004 - the server's fault
        return error
    if isinstance(exc, APITimeoutError):
        return ProviderUnavailable("openai: no answer in time.")
    if isinstance(exc, APIConnectionError):
        failed = ProviderUnavailable("openai: the connection failed.")
        failed.may_cost = not isinstance(exc.__cause__, httpx2.ConnectError)
        return failed
    return ProviderError(f"openai: {type(exc).__name__}.")


def _of_status(exc: APIStatusError, text: str) -> ProviderError:
    status = exc.status_code
    if status in {401, 403}:
        return ProviderAuthError(text)
    if status == 402 or _out_of_money(exc):  # noqa: PLR2004 - payment required
        return ProviderError(text, code="provider_quota")
    if status == 429:  # noqa: PLR2004 - too many requests
        return _of_limit(exc, text)
    if status in _PASSING or status >= 500:  # noqa: PLR2004 - the server's fault
        return ProviderUnavailable(text)
    return ProviderError(text)


def _of_limit(exc: APIStatusError, text: str) -> ProviderError:
    # One request larger than a minute's allowance: no wait makes it fit.
    if "request too large" in text.lower():
        return ProviderError(text, code="provider_too_large")
    return ProviderBusy(text, retry_after_seconds=_retry_after(exc.response.headers))


def _out_of_money(exc: APIError) -> bool:
    return exc.code in _OUT_OF_MONEY or exc.type in _OUT_OF_MONEY


def _retry_after(headers: httpx2.Headers) -> float | None:
    if (millis := _number(headers.get("retry-after-ms"))) is not None:
        return _bounded(millis / 1000)
    value = headers.get("retry-after")
    if (seconds := _number(value)) is not None:
        return _bounded(seconds)
    return _until(value) if value else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _bounded((moment - datetime.now(UTC)).total_seconds())


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _MAX_WAIT_SECONDS)


def _said(exc: APIStatusError, key: str) -> str:
    """Return the server's reason in one short line, without the key."""
    body = exc.body.get("message") if isinstance(exc.body, dict) else exc.body
    text = " ".join(str(body or "").split())
    if not text or text.startswith("<"):  # an HTML page of something in between
        return f"openai: HTTP {exc.status_code}."
    text = _KEY_LIKE.sub("sk-***", text.replace(key, "***"))
    text = "".join(c for c in text if c.isprintable())
    return f"openai: HTTP {exc.status_code}: {text[:_MESSAGE_LENGTH]}"

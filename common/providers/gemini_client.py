"""The Gemini client, by API key or by Google Cloud, and what its failures mean to us.

The SDK sends requests and signs them; answers are read by ourselves, so nothing in one
is taken for granted. Retries are the job queue's: the client makes none of its own.

Source: google-genai 3.4.0, read 2026-11-21.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from google import genai
from google.auth.exceptions import GoogleAuthError, TransportError
from google.genai.errors import APIError
from google.genai.types import (
    Content,
    GenerateContentConfig,
    GenerateContentResponse,
    HttpOptions,
)
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

_CONNECT_SECONDS = 10  # a TLS handshake takes well under one; then it is the network
_WRITE_SECONDS = 60  # between two pieces of a prompt of some megabytes on a slow line
_POOL_SECONDS = 60  # as many callers as the pool has places are already waiting
_MAX_WAIT_SECONDS = 3600  # a quota per minute; one per day is asked for again hourly
_MESSAGE_LENGTH = 200  # enough for the reason, too short for a page of HTML

_PASSING = {408, 409, 425, 499}  # time-out, lock, replay, cancelled: gone at next try
_KEY_LIKE = re.compile(r"\b(?:AIza|AQ\.)[\w-]{8,}")
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_TOO_LONG = re.compile(r"exceeds the maximum number of tokens|too long", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GeminiAccount:
    """Whom we ask: ``provider`` is our name for it, ``key`` must never be shown."""

    provider: str
    client: genai.Client
    http: httpx2.Client
    key: str = ""

    def close(self) -> None:
        """Close all connections."""
        self.client.close()
        self.http.close()


def by_key(settings: Settings, *, read_seconds: float) -> GeminiAccount:
    """Return the account of an API key; it waits ``read_seconds`` for the next byte.

    Raises:
        BadRequest: no key is set, or it cannot be one.
    """
    secret = settings.gemini_api_key or settings.google_api_key
    key = secret.get_secret_value() if secret else ""
    if not (key and key.isascii() and key.isprintable()):
        raise BadRequest(
            "Provider 'gemini' is not configured: set GEMINI_API_KEY.",
            code="provider_not_configured",
        )
    http = _http(read_seconds)
    options = _options(settings, http, read_seconds)
    client = genai.Client(vertexai=False, api_key=key, http_options=options)
    return GeminiAccount("gemini", client, http, key)


def by_project(settings: Settings, *, read_seconds: float) -> GeminiAccount:
    """Return the account of a Google Cloud project.

    Who we are is found by the first call: application default credentials.

    Raises:
        BadRequest: no project is set.
    """
    if settings.google_cloud_project is None:
        raise BadRequest(
            "Provider 'vertex' is not configured: set GOOGLE_CLOUD_PROJECT.",
            code="provider_not_configured",
        )
    http = _http(read_seconds)
    client = genai.Client(
        vertexai=True,
        project=settings.google_cloud_project,
        location=settings.google_cloud_location,
        http_options=_options(settings, http, read_seconds),
    )
    return GeminiAccount("vertex", client, http)


def ask(
    account: GeminiAccount,
    model: str,
    prompt: str,
    config: GenerateContentConfig,
    shape: type[Shape],
) -> Shape:
    """Send a prompt and return the answer in its documented form.

    Raises:
        ProviderBusy: HTTP 429; wait, then try again.
        ProviderUnavailable: no answer, half an answer or HTTP 5xx; try again.
        ProviderAuthError: the key is wrong, or we may not use the model.
        ProviderError: the request is refused, or the answer has another form
            (``provider_schema``); do not try again.
    """
    raw = config.model_copy(update={"should_return_http_response": True})
    try:
        reply = account.client.models.generate_content(
            model=model, contents=prompt, config=raw
        )
    except (APIError, httpx2.HTTPError, GoogleAuthError, ValueError) as exc:
        # Not chained: the text of the SDK's error quotes an answer that may
        # repeat the key, and a chain is logged.
        raise _translated(exc, account) from None
    body = reply.sdk_http_response and reply.sdk_http_response.body
    return _parsed(body or "", shape, account.provider)


def listen(
    account: GeminiAccount,
    model: str,
    said: list[Content],
    config: GenerateContentConfig,
) -> Iterator[GenerateContentResponse]:
    """Send a talk and yield the answer as it comes; raises what ``ask`` raises."""
    try:
        yield from account.client.models.generate_content_stream(
            model=model,
            contents=said,
            config=config,
        )
    except (APIError, httpx2.HTTPError, GoogleAuthError, ValueError) as exc:
        raise _translated(exc, account) from None  # for the reason given above


def _http(read_seconds: float) -> httpx2.Client:
    patience = httpx2.Timeout(
        connect=_CONNECT_SECONDS,
        read=read_seconds,
        write=_WRITE_SECONDS,
        pool=_POOL_SECONDS,
    ).as_dict()

    def wait_as_we_say(request: httpx2.Request) -> None:
        request.extensions["timeout"] = patience  # the SDK knows one number only

    return httpx2.Client(
        # A redirect of a POST loses the body or carries it to another host.
        follow_redirects=False,
        # Unpacked, so that the bound on the answer's size holds.
        headers={"Accept-Encoding": "identity"},
        event_hooks={"request": [wait_as_we_say], "response": [bound]},
    )


def _options(
    settings: Settings, http: httpx2.Client, read_seconds: float
) -> HttpOptions:
    return HttpOptions(
        base_url=settings.gemini_base_url,
        timeout=math.ceil(read_seconds * 1000),  # told to the server
        httpx_client=http,
    )


def _parsed(body: str, shape: type[Shape], provider: str) -> Shape:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ProviderUnavailable(
            f"{provider}: the answer is cut short or not JSON."
        ) from None
    try:
        return shape.model_validate(document)
    except ValidationError as exc:
        where = ".".join(str(part) for part in exc.errors()[0]["loc"])
        raise ProviderError(
            f"{provider}: the answer has another form than documented, at '{where}'.",
            code="provider_schema",
        ) from None


def _translated(exc: Exception, account: GeminiAccount) -> ProviderError:
    match exc:
        case APIError():
            return _of_status(exc, _said(exc, account))
        case httpx2.TimeoutException() if not isinstance(exc, httpx2.ConnectTimeout):
            error: ProviderError = ProviderUnavailable("no answer in time.")
        case httpx2.HTTPError():
            error = ProviderUnavailable("the connection failed.")
            unsent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
            error.may_cost = not isinstance(exc, unsent)
        case TransportError():
            error = ProviderUnavailable("Google's token server cannot be reached.")
            error.may_cost = False
        case GoogleAuthError():
            error = ProviderAuthError("there are no usable Google credentials here.")
        case _:
            error = ProviderUnavailable("the answer is cut short or not JSON.")
    error.args = (f"{account.provider}: {error}",)
    return error


def _of_status(exc: APIError, text: str) -> ProviderError:
    status = exc.code
    if status in {401, 403} or "API_KEY_INVALID" in _reasons(exc):
        return ProviderAuthError(text)
    if status == 429:  # noqa: PLR2004 - too many requests
        return ProviderBusy(text, retry_after_seconds=_retry_after(exc))
    if status in _PASSING or status >= 500:  # noqa: PLR2004 - the server's fault
        return ProviderUnavailable(text)
    error = ProviderError(text)
    error.may_cost = False  # what is refused is not charged
    if status == 402:  # noqa: PLR2004 - payment required
        error.code = "provider_quota"
    elif _TOO_LONG.search(text):
        error.code = "provider_too_large"
    return error


def _details(exc: APIError) -> Iterator[Mapping[str, Any]]:
    """Yield the details of an error; Google sends its errors in several wrappings."""
    found = exc.details
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        found = found["error"]
    details = found.get("details") if isinstance(found, dict) else None
    yield from (one for one in details or () if isinstance(one, dict))


def _reasons(exc: APIError) -> set[object]:
    return {detail.get("reason") for detail in _details(exc)}


def _retry_after(exc: APIError) -> float | None:
    told = [one for one in _details(exc) if one.get("@type") == _RETRY_INFO]
    delays = [one.get("retryDelay") for one in told]
    headers = getattr(exc.response, "headers", {})
    for value in (*delays, headers.get("retry-after")):
        try:
            seconds = float(str(value).removesuffix("s"))
        except ValueError:
            continue
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), _MAX_WAIT_SECONDS)
    return None


def _said(exc: APIError, account: GeminiAccount) -> str:
    """Return the server's reason in one short line, without the key."""
    text = " ".join(str(exc.message or "").split())
    if not text or text.startswith("<"):  # an HTML page of something in between
        return f"{account.provider}: HTTP {exc.code}."
    text = text.replace(account.key, "***") if account.key else text
    text = _KEY_LIKE.sub("***", text)
    text = "".join(c for c in text if c.isprintable())
    return f"{account.provider}: HTTP {exc.code}: {text[:_MESSAGE_LENGTH]}"

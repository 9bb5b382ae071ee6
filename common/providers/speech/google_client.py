"""The Speech-to-Text client, and what its failures mean to us.

Retries are the job queue's, so each call is made once and has a deadline.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud.speech_v2 import SpeechClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcTransport
from google.rpc import code_pb2, error_details_pb2

from common.errors import (
    ProviderAuthError,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
)
from common.settings import Settings

_MAX_ANSWER_BYTES = 64 * 1024 * 1024  # eight hours of words take about 10
_MAX_WAIT_SECONDS = 3600  # quotas are by the minute or the day: look again by then
_MESSAGE_LENGTH = 200  # enough for the reason

_PASSING = {
    *(code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED, code_pb2.INTERNAL),
    *(code_pb2.UNKNOWN, code_pb2.ABORTED, code_pb2.CANCELLED),
}
_OURS = {code_pb2.UNAUTHENTICATED, code_pb2.PERMISSION_DENIED}


def speech_client(settings: Settings) -> SpeechClient:
    """Return a client of the region that the settings name.

    Raises:
        ProviderAuthError: this machine has no credentials.
    """
    if settings.speech_endpoint:
        channel = grpc.insecure_channel(
            settings.speech_endpoint,
            options=[("grpc.max_receive_message_length", _MAX_ANSWER_BYTES)],
        )
        return SpeechClient(transport=SpeechGrpcTransport(channel=channel))
    with translated():
        return SpeechClient(client_options={"api_endpoint": host(settings)})


def host(settings: Settings) -> str:
    """Return where the region is served: models are not known outside of theirs."""
    region = settings.speech_location
    return f"{'' if region == 'global' else f'{region}-'}speech.googleapis.com"


@contextmanager
def translated() -> Iterator[None]:
    """Translate what a call raises.

    Raises:
        ProviderBusy: a quota is used up; wait, then try again.
        ProviderUnavailable: no answer in time, or a failure of theirs; try again.
        ProviderAuthError: no credentials, or they lack the permission.
        ProviderError: the request is refused; do not try again.
    """
    try:
        yield
    except GoogleAPICallError as exc:
        status = exc.grpc_status_code
        number = code_pb2.UNKNOWN if status is None else status.value[0]
        raise meaning(number, exc.message, _retry_after(exc.details)) from None
    except TransportError:
        raise ProviderUnavailable("google: no credentials could be fetched.") from None
    except GoogleAuthError as exc:
        # Its text may name files and accounts of this machine.
        raise ProviderAuthError(f"google: {type(exc).__name__}.") from None


def meaning(
    code: int, message: str, retry_after_seconds: float | None = None
) -> ProviderError:
    """Return the error for a status of theirs; a failed operation has one, too."""
    text = f"google: {_name(code)}: {_line(message)}"
    if code == code_pb2.RESOURCE_EXHAUSTED:
        if "larger than max" in message:  # gRPC's own limit: no wait makes it fit
            return ProviderError(text, code="provider_too_large")
        return ProviderBusy(text, retry_after_seconds=retry_after_seconds)
    if code in _OURS:
        return ProviderAuthError(text)
    if code in _PASSING:
        return ProviderUnavailable(text)
    refused = ProviderError(text)
    refused.may_cost = False  # nothing was recognised
    return refused


def _retry_after(details: Sequence[object]) -> float | None:
    for detail in details:
        if isinstance(detail, error_details_pb2.RetryInfo):
            delay = detail.retry_delay
            seconds: float = delay.seconds + delay.nanos / 1e9
            return min(max(seconds, 0.0), _MAX_WAIT_SECONDS)
    return None


def _name(code: int) -> str:
    known = code in code_pb2.Code.values()
    return code_pb2.Code.Name(code) if known else str(code)


def _line(message: str) -> str:
    text = " ".join(message.split())[:_MESSAGE_LENGTH]
    return "".join(c for c in text if c.isprintable())

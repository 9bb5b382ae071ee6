"""Speech to text.

``whisper`` means Whisper on our own machine where one is configured
(``PEGASUS_WHISPER_MODEL``); elsewhere it means OpenAI's, as clients have always said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Protocol

from common.errors import BadRequest, ProviderError
from common.settings import Settings
from common.transcript import Engine, Segment
from common.usage import Usage


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a piece the provider takes in one call."""

    max_chunk_ms: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in one piece. Times count from the piece's start.

    ``segments`` are in time order and empty if nobody speaks. ``language`` is a
    BCP 47 tag, or what the provider calls it.
    """

    segments: tuple[Segment, ...]
    language: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Pending:
    """A batch that is not done yet. ``percent`` is 0 to 100, 0 when it does not say."""

    percent: int


class BatchSpeech(Protocol):
    """Recognise a whole recording where it lies, without an open connection."""

    @property
    def max_ms(self) -> int:
        """The longest recording."""

    def takes(self, uri: str) -> bool:
        """Tell whether the service can read what lies there."""

    def start(self, uri: str, *, language: str) -> str:
        """Begin, and return a name to ask with; each call is a new operation.

        Args:
            uri: 16 kHz mono FLAC, as ``Storage.uri`` gives it.
            language: BCP 47 tag, e.g. ``en-GB``.

        Raises:
            ProviderError: as ``Speech.recognize``.
        """

    def poll(
        self, operation: str, *, length_ms: int, language: str
    ) -> Heard | Pending | ProviderError:
        """Return what was heard, or how far it is, or why the operation failed.

        Raises:
            ProviderError: as ``Speech.recognize``; the operation itself may be well.
        """

    def cancel(self, operation: str) -> None:
        """Stop an operation if it can be stopped; one that is over is harmless.

        Raises:
            ProviderError: as ``Speech.recognize``.
        """


class Speech(Protocol):
    """Recognise speech in one piece of audio."""

    @property
    def engine(self) -> Engine:
        """Who recognises."""

    @property
    def limits(self) -> Limits:
        """How large a piece may be."""

    @property
    def batch(self) -> BatchSpeech | None:
        """The way for whole recordings, if there is one."""

    def recognize(
        self, flac: bytes, *, language: str, prompt: str | None = None
    ) -> Heard:
        """Return what is said.

        Args:
            flac: 16 kHz mono FLAC, within ``limits``.
            language: BCP 47 tag, e.g. ``en-GB``.
            prompt: names and words that may come up, for those who take hints.

        Raises:
            ProviderBusy: too many requests; try again, uncounted.
            ProviderUnavailable: quota, time-out or 5xx; try again.
            ProviderAuthError: the key is wrong.
            ProviderError: the provider refuses this audio; do not try again.
        """


SpeechFactory = Callable[[str | None, str | None], Speech]
"""Provider and model (None: as the settings say) to a recogniser."""

PROVIDERS = ("pocketsphinx", "openai", "google", "whisper")
_ALIASES = {"google_speech": "google"}
_OF_MANY_MODELS = {"openai", "google"}  # the others have the one on this machine
NAMES = (*PROVIDERS, *_ALIASES)  # that a request may use


def canonical(settings: Settings, provider: str) -> str:
    """Return our name of a provider that a request or an operator names.

    Raises:
        BadRequest: we have no such provider.
    """
    name = meant(settings, provider)
    if name not in PROVIDERS:
        raise BadRequest(
            f"Unsupported transcription provider: {provider}."
            f" Use {', '.join(repr(p) for p in PROVIDERS)}.",
            code="provider_unknown",
        )
    return name


def meant(settings: Settings, provider: str) -> str:
    """Return what a name stands for here; an unknown one stands for itself."""
    if provider == "whisper" and settings.whisper_model is None:
        return "openai"
    return _ALIASES.get(provider, provider)


def accept(settings: Settings, provider: str | None) -> str:
    """Return our name of the provider that a request asks for (None: the default).

    Only settings are looked at: the API does not carry the recognisers' libraries.

    Raises:
        BadRequest: we have no such provider, or it lacks what it needs.
    """
    asked = provider or settings.speech_provider
    name = canonical(settings, asked)
    if name == "openai" and settings.openai_api_key is None:
        local = ", or PEGASUS_WHISPER_MODEL for the one here"
        raise _not_configured(
            asked, f"OPENAI_API_KEY{local if asked == 'whisper' else ''}"
        )
    if name == "google" and settings.google_cloud_project is None:
        raise _not_configured(asked, "GOOGLE_CLOUD_PROJECT")
    return name


def _not_configured(provider: str, variable: str) -> BadRequest:
    return BadRequest(
        f"Provider {provider!r} is not configured: set {variable}.",
        code="provider_not_configured",
    )


def from_settings(settings: Settings) -> SpeechFactory:
    """Return the factory of recognisers; each is made once, when first asked for."""
    lock = Lock()  # two threads that ask first must not make two of one

    @cache
    def make(provider: str, model: str | None) -> Speech:
        match provider:
            case "openai":
                from common.providers.speech.openai import OpenAISpeech

                return OpenAISpeech.from_settings(settings, model)
            case "google":
                from common.providers.speech.google import GoogleSpeech

                return GoogleSpeech.from_settings(settings, model)
            case "whisper":
                from common.providers.speech.whisper import WhisperSpeech

                return WhisperSpeech.from_settings(settings)
            case _:
                from common.providers.speech.pocketsphinx import PocketsphinxSpeech

                return PocketsphinxSpeech()

    def speech(provider: str | None, model: str | None) -> Speech:
        # A job's name was accepted before; what it meant then must not change.
        known = provider if provider in PROVIDERS else None
        name = known or canonical(settings, provider or settings.speech_provider)
        with lock:
            return make(name, model if name in _OF_MANY_MODELS else None)

    return speech

"""Speech to text."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from common.errors import BadRequest
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


class Speech(Protocol):
    """Recognise speech in one piece of audio."""

    @property
    def engine(self) -> Engine:
        """Who recognises."""

    @property
    def limits(self) -> Limits:
        """How large a piece may be."""

    def recognize(self, flac: bytes, *, language: str) -> Heard:
        """Return what is said.

        Args:
            flac: 16 kHz mono FLAC, within ``limits``.
            language: BCP 47 tag, e.g. ``en-GB``.

        Raises:
            ProviderBusy: too many requests; try again, uncounted.
            ProviderUnavailable: quota, time-out or 5xx; try again.
            ProviderAuthError: the key is wrong.
            ProviderError: the provider refuses this audio; do not try again.
        """


SpeechFactory = Callable[[str | None, str | None], Speech]
"""Provider and model (None: as the settings say) to a recogniser."""

PROVIDERS = ("pocketsphinx", "openai")
_ALIASES = {"whisper": "openai"}
NAMES = (*PROVIDERS, *_ALIASES)  # that a request may use


def canonical(provider: str) -> str:
    """Return our name of a provider; clients also say ``whisper`` for OpenAI's.

    Raises:
        BadRequest: we have no such provider.
    """
    name = _ALIASES.get(provider, provider)
    if name not in PROVIDERS:
        raise BadRequest(
            f"Unsupported transcription provider: {provider}."
            f" Use {', '.join(repr(p) for p in PROVIDERS)}.",
            code="provider_unknown",
        )
    return name


def accept(settings: Settings, provider: str | None) -> str:
    """Return our name of the provider that a request asks for (None: the default).

    Raises:
        BadRequest: we have no such provider, or it lacks its key.
    """
    name = canonical(provider or settings.speech_provider)
    if name == "openai" and settings.openai_api_key is None:
        raise BadRequest(
            "Provider 'openai' is not configured: set OPENAI_API_KEY.",
            code="provider_not_configured",
        )
    return name


def from_settings(settings: Settings) -> SpeechFactory:
    """Return the factory of recognisers; each is made once, when first asked for."""

    @cache
    def make(provider: str, model: str | None) -> Speech:
        match provider:
            case "openai":
                from common.providers.speech.openai import OpenAISpeech

                return OpenAISpeech.from_settings(settings, model)
            case _:
                from common.providers.speech.pocketsphinx import PocketsphinxSpeech

                return PocketsphinxSpeech()

    def speech(provider: str | None, model: str | None) -> Speech:
        return make(canonical(provider or settings.speech_provider), model)

    return speech

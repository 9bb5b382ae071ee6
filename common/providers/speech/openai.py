"""Speech to text by OpenAI, or by any server that speaks its protocol."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from openai import OpenAI
from pydantic import BaseModel

from common.errors import ProviderError, UnreadableMedia
from common.media.flac import length_ms as length_of
from common.providers import catalog
from common.providers.openai_client import RawReply, ask, openai_client
from common.providers.speech import Heard, Limits, meant
from common.providers.speech.whisper_segments import Part, timed
from common.sentences import cut_loops
from common.settings import Settings
from common.transcript import Engine, Segment
from common.usage import Usage

# Waiting for 15 minutes of audio; below the ten minutes of one request to the worker.
_READ_SECONDS = 300

# A model that gives no times makes one segment of a piece, so this is how exactly
# a citation can point. Shorter pieces cost accuracy: the model loses the context.
_UNTIMED_CHUNK_MS = 30_000

_ISO_639_1 = re.compile(r"^([A-Za-z]{2})(?:-|$)")


class _Language(BaseModel):
    code: str


class _Used(BaseModel):
    seconds: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class _Answer(BaseModel):
    text: str
    segments: list[Part] | None = None
    language: str | None = None
    languages: list[_Language] | None = None
    usage: _Used | None = None


@dataclass(frozen=True, slots=True)
class OpenAISpeech:
    """Recognise speech with one model of one account."""

    client: OpenAI
    model: catalog.Model

    @classmethod
    def from_settings(cls, settings: Settings, model: str | None) -> Self:
        """Return the recogniser; ``model`` None means the configured one.

        Raises:
            BadRequest: no key is set.
        """
        # A model configured for another provider says nothing about this one.
        ours = meant(settings, settings.speech_provider) == "openai"
        name = model or (settings.speech_model if ours else None)
        return cls(
            openai_client(settings, read_seconds=_READ_SECONDS),
            catalog.speech_model(name or catalog.DEFAULT_SPEECH_MODEL),
        )

    @property
    def engine(self) -> Engine:
        """Who recognises."""
        return Engine("openai", self.model.name)

    @property
    def limits(self) -> Limits:
        """How large a piece may be: short if the model gives no times."""
        longest_ms = self.model.max_seconds * 1000
        if not self.model.timestamps:
            longest_ms = min(longest_ms, _UNTIMED_CHUNK_MS)
        return Limits(max_chunk_ms=longest_ms, max_bytes=self.model.max_bytes)

    @property
    def batch(self) -> None:
        """There is no way but in pieces."""

    def recognize(
        self, flac: bytes, *, language: str, prompt: str | None = None
    ) -> Heard:
        """Return what is said; times that cannot be are mended or dropped."""
        length_ms = _length_ms(flac)

        def send() -> RawReply:
            return self.client.audio.transcriptions.with_raw_response.create(
                file=("piece.flac", flac, "audio/flac"),
                **self._wishes(language, prompt),
            )

        answer = ask(self.client, send, _Answer)
        return Heard(
            segments=cut_loops(_segments(answer, length_ms)),
            language=_language(answer) or language,
            usage=self._usage(answer.usage, length_ms),
        )

    def _wishes(self, language: str, prompt: str | None) -> dict[str, Any]:
        wishes: dict[str, Any] = {"model": self.model.name, "response_format": "json"}
        if prompt:
            wishes["prompt"] = prompt
        if self.model.timestamps:
            wishes["response_format"] = "verbose_json"
            wishes["timestamp_granularities"] = ["segment"]
        if code := _ISO_639_1.match(language):
            known = code[1].lower()
            wishes |= (
                {"languages": [known]}
                if self.model.many_languages
                else {"language": known}
            )
        return wishes

    def _usage(self, used: _Used | None, length_ms: int) -> Usage:
        used = used or _Used()
        seconds = length_ms / 1000 if used.seconds is None else used.seconds
        return Usage(
            "openai",
            self.model.name,
            audio_ms=length_ms,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cost_usd_micros=self.model.cost_usd_micros(
                seconds=seconds,
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
            ),
        )


def _length_ms(flac: bytes) -> int:
    length_ms = length_of(flac)
    if length_ms is None:
        raise UnreadableMedia("The piece is not a FLAC file of known length.")
    return length_ms


def _language(answer: _Answer) -> str | None:
    if answer.languages:
        return answer.languages[0].code
    return answer.language


def _segments(answer: _Answer, length_ms: int) -> Iterator[Segment]:
    if answer.segments:
        return timed(answer.segments, length_ms)
    if length_ms > _UNTIMED_CHUNK_MS and answer.text.strip():
        # Spread over minutes, its times would be invented.
        raise ProviderError(
            "openai: the model gives no times for a long piece.", code="provider_schema"
        )
    return _untimed(answer.text, length_ms)


def _untimed(text: str, length_ms: int) -> Iterator[Segment]:
    if said := " ".join(text.split()):
        yield Segment(0, length_ms, said)

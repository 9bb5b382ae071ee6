"""Speech to text by OpenAI, or by any server that speaks its protocol."""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from openai import OpenAI
from pydantic import BaseModel

from common.errors import ProviderError, UnreadableMedia
from common.providers import catalog
from common.providers.openai_client import RawReply, ask, openai_client
from common.providers.speech import Heard, Limits
from common.sentences import cut_loops
from common.settings import Settings
from common.transcript import LOW_CONFIDENCE, Engine, Segment
from common.usage import Usage

# Waiting for 15 minutes of audio; below the ten minutes of one request to the worker.
_READ_SECONDS = 300

# A model that gives no times makes one segment of a piece, so this is how exactly
# a citation can point. Shorter pieces cost accuracy: the model loses the context.
_UNTIMED_CHUNK_MS = 30_000

_SLACK_MS = 2000  # Whisper's own windows end up to this far past the audio
_SHORTEST_MS = 100  # for a segment that is given no length at all

# Whisper's own thresholds for silence taken for speech, for a doubtful guess and for
# text that repeats itself. Source: the defaults of transcribe() in openai/whisper and
# the field comments of openai 3.52.0, read 2026-11-20.
_NO_SPEECH = 0.6
_DOUBTFUL_LOGPROB = -1.0
_REPEATING_RATIO = 2.4

_ISO_639_1 = re.compile(r"^([A-Za-z]{2})(?:-|$)")


class _Part(BaseModel):
    start: float
    end: float
    text: str
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None


class _Language(BaseModel):
    code: str


class _Used(BaseModel):
    seconds: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class _Answer(BaseModel):
    text: str
    segments: list[_Part] | None = None
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
        ours = settings.speech_provider in {"openai", "whisper"}
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

    def recognize(self, flac: bytes, *, language: str) -> Heard:
        """Return what is said; times that cannot be are mended or dropped."""
        length_ms = _length_ms(flac)

        def send() -> RawReply:
            return self.client.audio.transcriptions.with_raw_response.create(
                file=("piece.flac", flac, "audio/flac"), **self._wishes(language)
            )

        answer = ask(self.client, send, _Answer)
        return Heard(
            segments=cut_loops(_segments(answer, length_ms)),
            language=_language(answer) or language,
            usage=self._usage(answer.usage, length_ms),
        )

    def _wishes(self, language: str) -> dict[str, Any]:
        wishes: dict[str, Any] = {"model": self.model.name, "response_format": "json"}
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
    """Return the length that the FLAC header gives, in whole milliseconds."""
    packed = int.from_bytes(flac[18:26], "big")  # rate 20, channels 3, bits 5 bit,
    rate, samples = packed >> 44, packed & (2**36 - 1)  # number of samples 36 bit
    if flac[:4] != b"fLaC" or not rate or not samples:
        raise UnreadableMedia("The piece is not a FLAC file of known length.")
    return samples * 1000 // rate


def _language(answer: _Answer) -> str | None:
    if answer.languages:
        return answer.languages[0].code
    return answer.language


def _segments(answer: _Answer, length_ms: int) -> Iterator[Segment]:
    if answer.segments:
        return _timed(answer.segments, length_ms)
    if length_ms > _UNTIMED_CHUNK_MS and answer.text.strip():
        # Spread over minutes, its times would be invented.
        raise ProviderError(
            "openai: the model gives no times for a long piece.", code="provider_schema"
        )
    return _untimed(answer.text, length_ms)


def _untimed(text: str, length_ms: int) -> Iterator[Segment]:
    if said := " ".join(text.split()):
        yield Segment(0, length_ms, said)


def _timed(parts: Iterable[_Part], length_ms: int) -> Iterator[Segment]:
    """Yield the parts that can be, in time order and without overlap."""
    heard_ms = 0
    for part in parts:
        text = " ".join(part.text.split())
        span = _span(part, heard_ms, length_ms)
        if not text or span is None or _is_silence(part):
            continue
        heard_ms = span[1]
        yield Segment(
            *span, text, flags=_flags(part), confidence=_confidence(part.avg_logprob)
        )


def _span(part: _Part, heard_ms: int, length_ms: int) -> tuple[int, int] | None:
    """Return the part's place, small errors mended; None if it cannot be true."""
    if not (math.isfinite(part.start) and math.isfinite(part.end)):
        return None
    start_ms, end_ms = round(part.start * 1000), round(part.end * 1000)
    possible = range(heard_ms - _SLACK_MS, length_ms + _SLACK_MS + 1)
    if start_ms not in possible or end_ms not in possible or end_ms < start_ms:
        return None
    start_ms = max(start_ms, heard_ms)
    end_ms = min(max(end_ms, start_ms + _SHORTEST_MS), length_ms)
    return (start_ms, end_ms) if start_ms < end_ms else None


def _is_silence(part: _Part) -> bool:
    """Tell whether the model doubts both the words and that anyone speaks."""
    if part.no_speech_prob is None or part.avg_logprob is None:
        return False
    return part.no_speech_prob > _NO_SPEECH and part.avg_logprob < _DOUBTFUL_LOGPROB


def _flags(part: _Part) -> tuple[str, ...]:
    doubted = part.avg_logprob is not None and part.avg_logprob < _DOUBTFUL_LOGPROB
    # Text that compresses this well mostly repeats itself.
    looping = (part.compression_ratio or 0) > _REPEATING_RATIO
    return (LOW_CONFIDENCE,) if doubted or looping else ()


def _confidence(logprob: float | None) -> float | None:
    """Return the geometric mean of the tokens' probabilities."""
    if logprob is None or math.isnan(logprob):
        return None
    return min(math.exp(min(logprob, 0.0)), 1.0)

"""The segments that Whisper gives, whoever runs it: times mended, silence dropped."""

import math
from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from common.transcript import LOW_CONFIDENCE, Segment

_SLACK_MS = 2000  # Whisper's own windows end up to this far past the audio
_SHORTEST_MS = 100  # for a segment that is given no length at all

# Whisper's own thresholds for silence taken for speech, for a doubtful guess and for
# text that repeats itself. Source: the defaults of transcribe() in openai/whisper and
# the field comments of openai 3.52.0, read 2026-11-20.
_NO_SPEECH = 0.6
_DOUBTFUL_LOGPROB = -1.0
_REPEATING_RATIO = 2.4


class Part(BaseModel):
    """One segment as Whisper tells it. Times are seconds."""

    start: float
    end: float
    text: str
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None


def timed(parts: Iterable[Part], length_ms: int) -> Iterator[Segment]:
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


def _span(part: Part, heard_ms: int, length_ms: int) -> tuple[int, int] | None:
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


def _is_silence(part: Part) -> bool:
    """Tell whether the model doubts both the words and that anyone speaks."""
    if part.no_speech_prob is None or part.avg_logprob is None:
        return False
    return part.no_speech_prob > _NO_SPEECH and part.avg_logprob < _DOUBTFUL_LOGPROB


def _flags(part: Part) -> tuple[str, ...]:
    doubted = part.avg_logprob is not None and part.avg_logprob < _DOUBTFUL_LOGPROB
    # Text that compresses this well mostly repeats itself.
    looping = (part.compression_ratio or 0) > _REPEATING_RATIO
    return (LOW_CONFIDENCE,) if doubted or looping else ()


def _confidence(logprob: float | None) -> float | None:
    """Return the geometric mean of the tokens' probabilities."""
    if logprob is None or math.isnan(logprob):
        return None
    return min(math.exp(min(logprob, 0.0)), 1.0)

"""What Google answers to segments: times that can be, sentences, language."""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from common.errors import ProviderError
from common.sentences import cut_loops, sentences
from common.transcript import Segment, Word

_SLACK_MS = 2000  # offsets are rounded, and windows end past the audio
# A result without words is one utterance. Longer ones hold several sentences, and
# times for these would be invented.
_LONGEST_UNTIMED_MS = 60_000


def segments(results: Iterable[Any], length_ms: int) -> tuple[Segment, ...]:
    """Return what was said in ``length_ms`` of sound, in time order, without overlap.

    Args:
        results: ``SpeechRecognitionResult`` as plain protobuf messages: wrapped ones
            take seconds for the words of a lecture.
        length_ms: nothing can have been said after it.

    Raises:
        ProviderError: there are no times where they are needed (``provider_schema``).
    """
    found: list[Segment] = []
    for timed, said in groupby(_spoken(results, length_ms), key=_is_word):
        if timed:
            found += sentences([one for one in said if isinstance(one, Word)])
        else:
            found += [one for one in said if isinstance(one, Segment)]
    return cut_loops(found)


def language(results: Iterable[Any]) -> str | None:
    """Return the language that the most results are in, None if none says."""
    told = [result.language_code for result in results if result.language_code]
    return max(told, key=told.count, default=None)


def milliseconds(duration: Any) -> int:  # noqa: ANN401 - a protobuf Duration
    """Return a duration in whole milliseconds."""
    seconds: int = duration.seconds
    nanos: int = duration.nanos
    return seconds * 1000 + round(nanos / 1e6)


def _is_word(said: Word | Segment) -> bool:
    return isinstance(said, Word)


def _spoken(results: Iterable[Any], length_ms: int) -> Iterator[Word | Segment]:
    floor = 0
    for result in results:
        if not result.alternatives:
            continue
        best = result.alternatives[0]
        confidence = _confidence(best.confidence)
        for word in best.words:
            span = _span(word, floor, length_ms)
            if span is None or not word.word.strip():
                continue
            floor = span[1]
            yield Word(*span, word.word, confidence)
        if not best.words and (text := " ".join(best.transcript.split())):
            end = min(milliseconds(result.result_end_offset) or length_ms, length_ms)
            yield _untimed(text, floor, end, confidence)
            floor = max(end, floor)


def _span(word: Any, floor: int, length_ms: int) -> tuple[int, int] | None:  # noqa: ANN401
    """Return the word's place, small errors mended; None if it cannot be true."""
    start, end = milliseconds(word.start_offset), milliseconds(word.end_offset)
    possible = range(floor - _SLACK_MS, length_ms + _SLACK_MS + 1)
    if start not in possible or end not in possible or end < start:
        return None
    start = min(max(start, floor), length_ms)
    return start, min(max(end, start), length_ms)


def _untimed(text: str, start: int, end: int, confidence: float | None) -> Segment:
    if end - start > _LONGEST_UNTIMED_MS:
        raise ProviderError(
            "google: the model gives no times for its words.", code="provider_schema"
        )
    return Segment(min(start, end), end, text, confidence=confidence)


def _confidence(told: float) -> float | None:
    """Return a probability; 0 says that there is none."""
    return min(told, 1.0) if math.isfinite(told) and told > 0 else None

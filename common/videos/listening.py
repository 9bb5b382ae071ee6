"""From what a helper sent to a transcript; nothing that it claims is taken on trust."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from common.transcript import Engine, Segment, Transcript

ENGINE = Engine("youtube", "captions")
_LONGEST_SECONDS = 48 * 3600  # YouTube takes 12 h; a live stream may have run longer
_USUAL_SECONDS = 3.0  # of a line whose duration nobody told
_UNKNOWN = "und"  # ISO 639: undetermined
_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of captions, as a helper sent it; seconds, as far as it told them."""

    text: str
    offset: float | None = None
    duration: float | None = None


def transcript(lines: Sequence[Heard], language: str | None) -> Transcript:
    """Return the lines as a transcript, in time order and without overlaps.

    Captions stay on the screen while the next ones appear: a segment ends where the
    next one starts. A line without a time follows the one before it.
    """
    placed = sorted(_placed(lines), key=lambda segment: segment.start_ms)
    ends = [min(one.end_ms, later.start_ms) for one, later in pairwise(placed)]
    ends += [segment.end_ms for segment in placed[-1:]]
    segments = tuple(
        replace(segment, end_ms=end) for segment, end in zip(placed, ends, strict=True)
    )
    total = segments[-1].end_ms if segments else 0
    return Transcript(segments, language or _language(segments), ENGINE, total, total)


def _placed(lines: Sequence[Heard]) -> list[Segment]:
    placed: list[Segment] = []
    for line in lines:
        text = " ".join(line.text.split())
        if not text:
            continue
        after = placed[-1].end_ms if placed else 0
        start = after if line.offset is None else _ms(line.offset)
        length = _ms(_USUAL_SECONDS if line.duration is None else line.duration)
        placed.append(Segment(start, start + length, text))
    return placed


def _ms(seconds: float) -> int:
    usual = seconds if math.isfinite(seconds) else 0.0
    return round(min(max(usual, 0.0), _LONGEST_SECONDS) * 1000)


def _language(segments: Sequence[Segment]) -> str:
    """Guess from the script; a wrong guess would stem words by wrong rules."""
    letters = [c for segment in segments[:200] for c in segment.text if c.isalpha()]
    if not letters:
        return _UNKNOWN
    latin = sum(letter.isascii() for letter in letters) / len(letters)
    hindi = sum("\u0900" <= letter <= "\u097f" for letter in letters) / len(letters)
    if hindi > _MOSTLY:
        return "hi"
    return "en" if latin > _MOSTLY else _UNKNOWN

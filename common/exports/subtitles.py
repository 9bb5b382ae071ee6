"""Cues for the subtitle formats: in order, apart, readable."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from common.exports.lines import clean, columns, wrap
from common.transcript import Segment

_LINE_COLUMNS = 42  # what fits on a TV or phone screen; usual in broadcasting
_LINES = 2
_SHORTEST_MS = 700  # less flashes by unread


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text and when they are on screen; never blank."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def cues(segments: Sequence[Segment]) -> list[Cue]:
    """Return cues in time order that do not overlap and last long enough to be seen.

    Text is cut to two lines a cue as far as the time allows. Pages of a document
    have no times and yield nothing.
    """
    timed = sorted(
        (s for s in segments if s.page is None), key=lambda s: (s.start_ms, s.end_ms)
    )
    return _apart([cue for segment in timed for cue in _cut(segment)])


def timestamp(ms: int, mark: str) -> str:
    """Return ``hh:mm:ss<mark>mmm``; hours take as many digits as they need."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{ms:03}"


def _cut(segment: Segment) -> Iterator[Cue]:
    """Share the segment's time among its cues by the length of their text."""
    lines = _balanced(clean(segment.text))
    if not lines:
        return
    duration = max(segment.end_ms - segment.start_ms, 0)
    count = max(1, min(math.ceil(len(lines) / _LINES), duration // _SHORTEST_MS))
    size = math.ceil(len(lines) / count)
    total = sum(map(columns, lines))
    done, start_ms = 0.0, segment.start_ms
    for i in range(0, len(lines), size):
        done += sum(map(columns, lines[i : i + size]))
        end_ms = segment.start_ms + round(duration * done / total)
        yield Cue(start_ms, end_ms, tuple(lines[i : i + size]))
        start_ms = end_ms


def _balanced(text: str) -> list[str]:
    """Wrap into as few lines as possible, then make them about equally long."""
    if not text:
        return []
    fewest = len(wrap(text, _LINE_COLUMNS))
    narrow = math.ceil(columns(text) / fewest)
    tries = (wrap(text, limit) for limit in range(narrow, _LINE_COLUMNS + 1))
    return next((lines for lines in tries if len(lines) == fewest), [text])


def _apart(ordered: list[Cue]) -> list[Cue]:
    """End each cue before the next begins; push on what would be too short."""
    result: list[Cue] = []
    free_ms = 0
    for cue, later in zip_longest(ordered, ordered[1:]):
        start_ms = max(cue.start_ms, free_ms)
        limit_ms = later.start_ms if later else cue.end_ms
        end_ms = max(min(cue.end_ms, limit_ms), start_ms + _SHORTEST_MS)
        result.append(replace(cue, start_ms=start_ms, end_ms=end_ms))
        free_ms = end_ms
    return result

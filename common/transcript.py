"""What was said, and when. Times are whole milliseconds from the recording's start."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

LOW_CONFIDENCE = "low_confidence"  # the recogniser itself doubts it
REPETITION = "repetition"  # a loop of the recogniser was cut here


@dataclass(frozen=True, slots=True)
class Engine:
    """Who made a result: a provider of ours and the model it used."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word. ``confidence`` is 0 to 1, None when unknown."""

    start_ms: int
    end_ms: int
    text: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or what passes for one: at most some seconds of speech.

    ``page`` is the 1-based page of a document, whose segments have no times (both 0).
    """

    start_ms: int
    end_ms: int
    text: str
    flags: tuple[str, ...] = ()
    confidence: float | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A range that could not be transcribed; ``reason`` is an error code."""

    start_ms: int
    end_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """Segments and gaps in time order; no segments means that nobody spoke.

    ``heard_ms`` is how much of ``total_ms`` was given to the recogniser with success,
    or was silence; the rest is in ``gaps``.
    """

    segments: tuple[Segment, ...]
    language: str
    engine: Engine
    total_ms: int
    heard_ms: int
    gaps: tuple[Gap, ...] = ()

    @property
    def text(self) -> str:
        """All that was said, one segment a line."""
        return "\n".join(segment.text for segment in self.segments)


def digest(segments: Iterable[Segment]) -> str:
    """Return a name of what was said and when: the same however it was found out."""
    said = [(one.start_ms, one.end_ms, one.text) for one in segments]
    return sha256(json.dumps(said).encode()).hexdigest()[:32]

"""A question about recordings, and all that a model may know to answer it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from common.transcript import Segment

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """What was said in one recording, as far as the question needs it.

    ``segments`` are in time order. ``whole``: nothing is left out. ``id`` is our name
    for the subject and never shown to a model.
    """

    id: str
    title: str
    language: str
    segments: Sequence[Segment]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Talk:
    """A question, what was said before it (oldest first), and what it is about."""

    sources: Sequence[Source]
    question: str
    history: Sequence[Turn] = ()


def place(segment: Segment) -> str:
    """Return where a segment stands: ``02:15``, ``1:02:15`` or, on paper, ``p. 3``."""
    return clock(segment.start_ms) if segment.page is None else f"p. {segment.page}"


def clock(ms: int) -> str:
    """Return a time as people write it, in minutes or, beyond an hour, in hours."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
    )

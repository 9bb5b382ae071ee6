"""One short text about a recording: a note on a moment, or a summary with questions."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.presets import presets
from common.study import StudyMaterial
from common.transcript import Segment

NOTE_CHARACTERS = range(40, 121)  # a line; clients show no more
SUMMARY_CHARACTERS = range(200, 801)
QUESTIONS = 3
_NEIGHBOURS = 15  # segments on either side of a moment: what it is about


@dataclass(frozen=True, slots=True)
class BriefMaterial:
    """What is written about; ``at_ms`` None asks for a summary of everything."""

    title: str | None
    language: str
    segments: Sequence[Segment]
    at_ms: int | None = None

    @property
    def nearest_ms(self) -> int | None:
        """How far from the moment anything is said; None if nothing is, anywhere."""
        place = self._place()
        return None if place is None else self._distance(self.segments[place])

    @property
    def around(self) -> Sequence[Segment]:
        """What is said around the moment; of a summary, all."""
        place = self._place()
        if self.at_ms is None or place is None:
            return self.segments
        return self.segments[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS + 1]

    @property
    def study(self) -> StudyMaterial:
        """The same for what reads whole lectures; no preset shapes a short text."""
        plain = presets()["exam-mode"]
        title = self.title or "This video"
        return StudyMaterial(title, self.language, self.around, plain)

    def _place(self) -> int | None:
        places = range(len(self.segments))
        return min(places, key=lambda n: self._distance(self.segments[n]), default=None)

    def _distance(self, segment: Segment) -> int:
        at = self.at_ms or 0
        return max(segment.start_ms - at, at - segment.end_ms, 0)


@dataclass(frozen=True, slots=True)
class Brief:
    """A line of 40 to 120 characters, or 200 to 800 with three questions.

    It is shorter where hardly anything is said.
    """

    text: str
    questions: tuple[str, ...] = ()


def fitted(text: str, most: int) -> str:
    """Return the text on one line of at most so many characters, cut at a good place.

    That is the end of a sentence in the second half, or else the end of a word.
    """
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    head = line[:most]
    stop = max(head.rfind(mark) for mark in (". ", "! ", "? "))
    if stop + 1 > most // 2:
        return head[: stop + 1]
    kept, _, _ = head.rpartition(" ")
    return f"{(kept or line[: most - 1]).rstrip(',;:')}…"

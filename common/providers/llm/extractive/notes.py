"""A reading with its chapters and terms: what every artifact is written from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from common.providers.llm.extractive.chapters import Chapter, chapters
from common.providers.llm.extractive.glossary import Entry, glossary
from common.providers.llm.extractive.reading import Line, Reading, read
from common.providers.llm.extractive.voice import Voice, voice
from common.study import StudyMaterial
from common.text.cues import is_example
from common.text.ranking import similarity

_BELONGS = 0.25  # closeness; below it two lines share a common word by chance
_REPEATS = 0.75  # cosine; above it they say the same
_NEIGHBOURHOOD = 60  # lines on either side that are compared


@dataclass(frozen=True, slots=True)
class Notes:
    """One lecture, ready to be written up."""

    reading: Reading
    parts: tuple[Chapter, ...]
    entries: tuple[Entry, ...]

    @property
    def voice(self) -> Voice:
        """The wording of the preset's tone."""
        return voice(self.reading.preset.generation_config.tone)

    @property
    def sound(self) -> list[Line]:
        """The lines that can be learnt from, best first."""
        lines = [line for line in self.reading.lines if line.sound]
        return self.reading.best(lines, len(lines))

    def ranked(self, *facets: str) -> list[Line]:
        """Return the sound lines that speak to any of these facets, best first."""
        told = [x for x in self.sound if not (x.defines or is_example(x.said))]
        return [line for line in told if line.facets.intersection(facets)]

    def matching(self, cue: re.Pattern[str]) -> list[Line]:
        """Return the sound lines whose wording has this cue, best first."""
        told = [x for x in self.sound if not (x.defines or is_example(x.said))]
        return [line for line in told if cue.search(line.statement.clean)]

    def terms_in_lines(self, *facets: str) -> Iterator[tuple[Entry, Line]]:
        """Yield each term once, with the best line about it; the best pairs first."""
        used: set[int] = set()
        for entry in self.entries:
            lines = [
                line
                for line in self.reading.best(self.reading.with_phrase(entry.phrase), 8)
                if line.index not in used
                and not (facets and line.defines)
                and (not facets or line.facets.intersection(facets))
            ]
            if lines:
                used.add(lines[0].index)
                yield entry, lines[0]

    def near(self, line: Line, count: int) -> list[Line]:
        """Return the sound lines that say most on the same matter, nearest first."""
        low = max(0, line.index - _NEIGHBOURHOOD)
        others = self.reading.lines[low : line.index + _NEIGHBOURHOOD]
        close = {other: self._closeness(line, other) for other in others if other.sound}
        kept = [other for other, value in close.items() if value > _BELONGS]
        return sorted(kept, key=lambda other: (-close[other], other.index))[:count]

    def _closeness(self, line: Line, other: Line) -> float:
        """Return how much two lines have to do with each other, 0 if they say the same.

        A shared key phrase and a place close by count beside shared words: words
        alone would join all definitions of "a disease in which".
        """
        alike = similarity(
            self.reading.rows[line.index], self.reading.rows[other.index]
        )
        if line.index == other.index or alike > _REPEATS:
            return 0.0
        shared = bool(set(line.phrases).intersection(other.phrases))
        distance = abs(line.index - other.index)
        return alike + 0.15 * shared + 0.3 / (1 + distance)


def take_notes(material: StudyMaterial) -> Notes | None:
    """Return the notes on a lecture; None if nobody spoke."""
    reading = read(material)
    if not reading.lines:
        return None
    return Notes(reading, chapters(reading), glossary(reading))

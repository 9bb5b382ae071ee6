"""The form of a summary: how long its sentences are, and which it prefers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from common.presets import OutputProfile
from common.providers.llm.extractive.reading import Line
from common.providers.llm.extractive.voice import sentence_case

_ADDS_TO_IT = re.compile(r"^(?:because|but|however|so|therefore|and)\b", re.IGNORECASE)
_LONGEST_ADDITION = 30  # words
_CONTRAST = re.compile(
    r"\b(?:but|although|whereas|however|argue|others|should|not)\b", re.IGNORECASE
)
_REASON = re.compile(
    r"\b(?:because|therefore|since|argue|show|so that)\b", re.IGNORECASE
)

_BULLETS = {
    "very_short": 4,
    "short": 4,
    "medium": 5,
    "hierarchical": 4,
    "argument_based": 3,
}
_WORDS = {
    "very_short": 14,
    "short": 22,
    "medium": 34,
    "hierarchical": 30,
    "argument_based": 45,
}


@dataclass(frozen=True, slots=True)
class _Manner:
    overview_sentences: int
    longest: int
    labels: bool = False
    per_word: float = 0.0
    prefers: re.Pattern[str] | None = None


_MANNERS: Mapping[str, _Manner] = {
    "concise_academic": _Manner(overview_sentences=4, longest=34),
    "conceptual": _Manner(overview_sentences=3, longest=34, labels=True),
    "plain_language": _Manner(overview_sentences=3, longest=22, per_word=-0.03),
    "low_clutter": _Manner(overview_sentences=2, longest=16, per_word=-0.06),
    "argumentative": _Manner(overview_sentences=5, longest=45, prefers=_REASON),
    "debate_focused": _Manner(overview_sentences=4, longest=45, prefers=_CONTRAST),
}


@dataclass(frozen=True, slots=True)
class Style:
    """Summary style and chunking together. ``bullets`` is the most per section."""

    overview_sentences: int
    bullets: int
    longest: int
    labels: bool
    per_word: float
    prefers: re.Pattern[str] | None
    keeps_reasons: bool

    def value(self, line: Line) -> float:
        """Return what a line is worth in this style."""
        liked = self.prefers is not None and self.prefers.search(line.statement.clean)
        return line.worth + self.per_word * line.length + (0.35 if liked else 0.0)

    def label(self, line: Line) -> str:
        """Return the concept to be put before a line, if the style does that."""
        if not self.labels or not line.phrases:
            return ""
        best = max(line.phrases, key=lambda p: (len(p.stems) > 1, p.score, p.stems))
        return f"{sentence_case(best.label)}: "

    def adds(self, following: Line) -> bool:
        """Return whether this line goes on with the one before it."""
        said = following.statement.clean
        return bool(_ADDS_TO_IT.match(said)) and following.length <= _LONGEST_ADDITION


def style(profile: OutputProfile) -> Style:
    """Return the style of a preset; an unknown summary style is plain prose."""
    manner = _MANNERS.get(
        profile.summary_style, _Manner(overview_sentences=3, longest=30)
    )
    return Style(
        overview_sentences=manner.overview_sentences,
        bullets=_BULLETS[profile.chunking],
        longest=min(manner.longest, _WORDS[profile.chunking]),
        labels=manner.labels,
        per_word=manner.per_word,
        prefers=manner.prefers,
        keeps_reasons=profile.chunking == "argument_based",
    )

"""The parts of a lecture, with headings that read as headings."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from common.providers.llm.extractive.reading import Line, Reading
from common.providers.llm.extractive.voice import heading
from common.study import OutlineNode
from common.text.cues import first_clause
from common.text.phrases import Phrase

_POINTS = {
    "very_short": 2,
    "short": 2,
    "medium": 3,
    "hierarchical": 1,
    "argument_based": 2,
}
_POINT_WORDS = {
    "very_short": 14,
    "short": 20,
    "medium": 28,
    "hierarchical": 26,
    "argument_based": 34,
}
_MOST_CHILDREN = 4
_OBJECTION = re.compile(
    r"\b(?:but|however|although|whereas|others|critics?|not|cannot|instead|mistake)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Chapter:
    """Some consecutive lines and the phrase that they are most about, if any."""

    title: str
    phrase: Phrase | None
    lines: tuple[Line, ...]

    @property
    def slug(self) -> str:
        """The title as a tag: no spaces."""
        return re.sub(r"[^\w]+", "-", self.title.lower()).strip("-") or "lecture"


def chapters(reading: Reading) -> tuple[Chapter, ...]:
    """Return the lecture's parts in order; no two have the same title.

    A part that nothing new can be said of belongs to the one before it.
    """
    found: list[Chapter] = []
    taken: set[tuple[str, ...]] = set()
    for lines in _spans(reading):
        phrase = _subject(lines, taken, reading)
        if found and phrase is None:
            last = found[-1]
            found[-1] = Chapter(last.title, last.phrase, (*last.lines, *lines))
            continue
        if phrase:
            taken.add(phrase.stems)
        found.append(Chapter(_title(phrase, reading), phrase, lines))
    return tuple(found)


def _spans(reading: Reading) -> list[tuple[Line, ...]]:
    """Return the lines topic by topic; greetings and farewells are no topic."""
    spans: list[tuple[Line, ...]] = []
    waiting: tuple[Line, ...] = ()
    for topic in reading.topics:
        waiting += tuple(reading.lines[i] for i in topic)
        if any(line.sound for line in waiting):
            spans.append(waiting)
            waiting = ()
    if waiting:
        spans[-1:] = [sum(spans[-1:], ()) + waiting]
    return spans


def _title(phrase: Phrase | None, reading: Reading) -> str:
    return heading(phrase.label) if phrase else reading.material.title or "Lecture"


def _subject(
    lines: Sequence[Line], taken: Collection[tuple[str, ...]], reading: Reading
) -> Phrase | None:
    """Return the phrase that is frequent here and not everywhere."""
    here = Counter(phrase for line in lines for phrase in line.phrases)
    scores = {
        phrase: n * n / len(phrase.where) * _suits(phrase, lines)
        for phrase, n in here.items()
        if phrase.stems not in taken and not reading.is_generic(phrase)
    }
    return max(scores, key=lambda p: (scores[p], p.score, p.stems), default=None)


def _suits(phrase: Phrase, lines: Sequence[Line]) -> float:
    """Return more for a phrase of several words, and for one that is explained here."""
    subject = any(
        line.defines
        and line.statement.words[0].stem in {"a", "an", "the", *phrase.stems}
        and tuple(w.stem for w in line.statement.words[:5] if w.stem in phrase.stems)
        == phrase.stems
        for line in lines
        if phrase in line.phrases
    )
    return (1.5 if len(phrase.stems) > 1 else 1.0) * (2.0 if subject else 1.0)


def outline(parts: Sequence[Chapter], reading: Reading) -> list[OutlineNode]:
    """Return one node per chapter, in the form that the preset's chunking asks for."""
    return [_node(part, reading) for part in parts]


def _node(part: Chapter, reading: Reading) -> OutlineNode:
    chunking = reading.preset.outputProfile.chunking
    if chunking == "hierarchical":
        children = _by_phrase(part, reading)
    elif chunking == "argument_based":
        children = _for_and_against(part, reading)
    else:
        children = []
    used = {c.quote for child in children for c in child.citations or ()}
    free = [line for line in part.lines if line.statement.text not in used]
    return _leaf(part.title, free, _POINTS[chunking], reading, children)


def _leaf(
    title: str,
    lines: Sequence[Line],
    count: int,
    reading: Reading,
    children: Sequence[OutlineNode] = (),
) -> OutlineNode:
    longest = _POINT_WORDS[reading.preset.outputProfile.chunking]
    sound = [line for line in lines if line.sound] or ([] if children else lines)
    short = [line for line in sound if first_clause(line.said, longest)] or sound
    best = sorted(reading.best(short, count), key=lambda line: line.index)
    return OutlineNode(
        title=title,
        points=[first_clause(line.said, longest) or line.said for line in best] or None,
        children=list(children) or None,
        citations=reading.cite(*best) or None,
    )


def _by_phrase(part: Chapter, reading: Reading) -> list[OutlineNode]:
    """Return a child for each phrase that some lines of the chapter are about."""
    left = [line for line in part.lines if line.sound]
    children = []
    counts = Counter(phrase for line in left for phrase in line.phrases)
    ranked = sorted(counts, key=lambda p: (-counts[p] * p.score, p.stems))
    for phrase in ranked:
        lines = [line for line in left if phrase in line.phrases]
        known = phrase == part.phrase or _is_part(phrase, part.phrase)
        if known or not lines or reading.is_generic(phrase):
            continue
        child = _leaf(heading(phrase.label), lines, 2, reading)
        quotes = {citation.quote for citation in child.citations or ()}
        left = [line for line in left if line.statement.text not in quotes]
        children.append(child)
        if len(children) == _MOST_CHILDREN:
            break
    return children


def _is_part(phrase: Phrase, whole: Phrase | None) -> bool:
    return whole is not None and set(phrase.stems) <= set(whole.stems)


def _for_and_against(part: Chapter, reading: Reading) -> list[OutlineNode]:
    """Return the reasons and the objections of a chapter, where it has them."""
    sound = [line for line in part.lines if line.sound]
    against = [line for line in sound if _OBJECTION.search(line.statement.clean)]
    reasons = [line for line in sound if "why" in line.facets and line not in against]
    return [
        _leaf(title, lines, 2, reading)
        for title, lines in (("Reasons", reasons), ("Objections and Limits", against))
        if lines
    ]

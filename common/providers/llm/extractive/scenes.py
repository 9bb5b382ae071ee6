"""Scenes without a model: where much that matters is said between two pauses.

A scene is a run of lines that begins after a pause and ends before one. It is worth
what its lines are worth, for which key phrases and the client's own words count most,
by the root of its length: dense speech beats slow speech, and is not cut up.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from common.providers.llm.extractive.reading import Line, Reading, read
from common.providers.llm.extractive.voice import heading
from common.scenes import LENGTH_MS, Proposal, SceneMaterial, SceneWishes
from common.text.words import content_stems, stop_words, words

_PAUSE_MS = 700  # a breath is shorter
_EDGE_WORTH = 0.3  # of a pause on either side, in the worth of a good line
_TERM_WORTH = 0.8  # of the film's best key phrase
_WISH_WORTH = 2.0  # of a word that the client named: more than any phrase
_MOST_WISHES = 3  # in one line
_TAGS = 4
_LEAST_CONFIDENCE, _MOST_CONFIDENCE = 0.3, 0.8  # it has not understood a word
_DESCRIPTION_WORDS = 40


def propose(material: SceneMaterial) -> list[Proposal]:
    """Return scenes that do not overlap, the best first; none if nobody spoke."""
    reading = read(material.study)
    if not reading.lines:
        return []
    ranked = sorted(_runs(reading, material), key=lambda run: (-run.worth, run.first))
    chosen: list[_Run] = []
    for run in ranked:
        if len(chosen) == material.wishes.max_scenes:
            break
        if all(run.last < one.first or run.first > one.last for one in chosen):
            chosen.append(run)
    best = max((run.worth for run in chosen), default=0.0)
    return [
        _proposal(run, reading, _confidence(run.worth, best), priority)
        for priority, run in enumerate(chosen, start=1)
    ]


@dataclass(frozen=True, slots=True)
class _Run:
    """Lines ``first`` to ``last``; ``worth`` compares within one film."""

    first: int
    last: int
    worth: float


def _runs(reading: Reading, material: SceneMaterial) -> Iterator[_Run]:
    """Yield every run of a good length; all of a film that is shorter than that."""
    lines = reading.lines
    wished = _wished_stems(material.wishes)
    top = max((phrase.score for phrase in reading.phrases), default=1.0)
    sums = [0.0, *accumulate(_worth(line, wished, top) for line in lines)]
    pauses = _pauses(lines)
    shortest, longest = LENGTH_MS
    spoken_ms = lines[-1].statement.end_ms - lines[0].statement.start_ms
    shortest = min(shortest, spoken_ms)
    for first in range(len(lines)):
        for last in range(first, len(lines)):
            length = lines[last].statement.end_ms - lines[first].statement.start_ms
            if length > longest and last > first:
                break
            if length >= shortest:
                said = sums[last + 1] - sums[first]
                edges = _EDGE_WORTH * (pauses[first] + pauses[last + 1])
                yield _Run(first, last, (said + edges) / math.sqrt(max(length, 1)))


def _pauses(lines: Sequence[Line]) -> list[bool]:
    """Return whether there is a pause before each line, and after the last."""
    between = (
        later.statement.start_ms - earlier.statement.end_ms >= _PAUSE_MS
        for earlier, later in pairwise(lines)
    )
    return [True, *between, True]


def _worth(line: Line, wished: frozenset[str], top_score: float) -> float:
    stems = {word.stem for word in line.statement.words}
    wishes = min(len(stems & wished), _MOST_WISHES)
    terms = min(1.0, sum(phrase.score for phrase in line.phrases) / top_score)
    return max(line.worth, 0.0) + _TERM_WORTH * terms + _WISH_WORTH * wishes


def _wished_stems(wishes: SceneWishes) -> frozenset[str]:
    told = " ".join(
        text for text in (wishes.tone, wishes.criteria, wishes.instructions) if text
    )
    found = words(told)
    return frozenset(content_stems(found, stop_words([found])))


def _confidence(worth: float, best: float) -> float:
    share = worth / best if best > 0 else 0.0
    return _LEAST_CONFIDENCE + (_MOST_CONFIDENCE - _LEAST_CONFIDENCE) * share


def _proposal(
    run: _Run, reading: Reading, confidence: float, priority: int
) -> Proposal:
    lines = reading.lines[run.first : run.last + 1]
    phrases = sorted(
        {phrase for line in lines for phrase in line.phrases},
        key=lambda phrase: (-phrase.score, phrase.stems),
    )
    [told] = reading.best(lines, 1)
    return Proposal(
        title=heading(phrases[0].label) if phrases else _head(told, 8),
        description=_head(told, _DESCRIPTION_WORDS),
        start=lines[0].statement.start_ms / 1000,
        end=lines[-1].statement.end_ms / 1000,
        confidence=confidence,
        priority=priority,
        tags=[phrase.label for phrase in phrases[:_TAGS]],
    )


def _head(line: Line, most: int) -> str:
    said = line.said.split()
    return " ".join(said[:most]) + ("…" if len(said) > most else "")

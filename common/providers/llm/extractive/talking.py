"""Answers without a model: the passages that speak of what is asked, word for word."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.grounding.quotes import index_of
from common.providers.llm.extractive.voice import quoted
from common.talk import Source, Talk, clock
from common.text.ranking import diverse, text_rank, vectors
from common.text.statements import Statement, statements
from common.text.stop_words import word_set
from common.text.words import content_stems, stop_words, words

_PASSAGES = 4  # more is no answer, but the recording again
_TOPICS = 3  # named where the recording does not speak of what is asked
_MOST_LETTERS = 320  # of a quote; a page without a full stop is one statement
_ENOUGH = 0.45  # of the question's weight that the best passage must hold
_NEAR = 0.6  # of the best passage's worth, for another one to be quoted, too
_KNOWN_WORDS = 1  # of a question, for it to be understood without the one before

# Asked of a whole recording, in words that no recording itself says.
_OVERVIEW = re.compile(
    r"\b(?:summar\w+|overview|tl;?dr|key ?points?|main (?:points?|ideas?|topics?)"
    r"|what(?:'s| is| was) (?:this|it|the (?:video|lecture|talk|recording))\b.*\babout"
    r"|worum geht|zusammenfass\w*|fasse? .*zusammen|resume\w*|résum\w+|de quoi parle"
    r"|riassum\w+|de qué trata)",
    re.IGNORECASE,
)
# What a question is made of, whatever it is about.
_ASKING = word_set(
    """
    explain describe tell say said mention mentioned talk talked discuss discussed
    speaker lecturer lecture video recording professor teacher give show meaning mean
    define definition please understand
    """
)


@dataclass(frozen=True, slots=True)
class _Said:
    """A statement of a source, and the stems that carry its meaning."""

    source: Source
    statement: Statement
    stems: tuple[str, ...]


def answer(talk: Talk) -> Iterator[str]:
    """Yield the answer in pieces: a sentence of ours, then quotes with their places."""
    said = [one for source in talk.sources for one in _read(source)]
    if not said:
        yield "Nobody speaks in this recording."
        return
    if _OVERVIEW.search(talk.question):
        yield "In short, this is what is said:"
        yield from _quotes(talk, _central(said, _PASSAGES))
        return
    found = _about(said, talk.question)
    if found is None:  # "And why?": it goes on with the question before
        before = [turn.text for turn in talk.history if turn.role == "user"][-1:]
        found = _about(said, " ".join((*before, talk.question)))
    if found:
        yield "This is what is said about it:"
        yield from _quotes(talk, found)
        return
    yield "The recording does not speak of that, as far as its words tell."
    yield " It speaks of this, among other things:"
    yield from _quotes(talk, _central(said, _TOPICS))


def _read(source: Source) -> list[_Said]:
    found = statements(source.segments)
    stop = stop_words([statement.words for statement in found])
    return [_Said(source, s, content_stems(s.words, stop)) for s in found]


def _about(said: Sequence[_Said], question: str) -> list[_Said] | None:
    """Return what speaks of the question, best first; None if it asks nothing."""
    asked = words(question)
    wanted = set(content_stems(asked, stop_words([asked]))) - _ASKING
    if len(wanted) < _KNOWN_WORDS:
        return None
    spread = Counter(stem for one in said for stem in set(one.stems))
    weights = {stem: _rarity(spread[stem], len(said)) for stem in wanted}
    ranked = sorted(said, key=lambda one: -_worth(one, weights))
    best = _worth(ranked[0], weights)
    if best < _ENOUGH * sum(weights.values()):
        return []
    near = [one for one in ranked[:_PASSAGES] if _worth(one, weights) >= _NEAR * best]
    return sorted(near, key=lambda one: -_worth(one, weights))


def _rarity(count: int, total: int) -> float:
    return math.log((total + 1) / (count + 0.5)) + 0.1  # what all say weighs a little


def _worth(one: _Said, weights: Mapping[str, float]) -> float:
    held = sum(weights[stem] for stem in weights.keys() & set(one.stems))
    return held * (0.8 if one.statement.doubtful else 1.0)


def _central(said: Sequence[_Said], count: int) -> list[_Said]:
    """Return what the recordings mainly say, in the order in which it is said."""
    rows = vectors([one.stems for one in said])
    ranks = text_rank(rows)
    chosen = diverse(range(len(said)), lambda i: ranks[i], rows, count)
    return [said[number] for number in sorted(chosen)]


def _quotes(talk: Talk, found: Sequence[_Said]) -> Iterator[str]:
    for one in found:
        title = f" {quoted(one.source.title)}:" if len(talk.sources) > 1 else ""
        text = quoted(_shortened(one.statement.text))
        yield f"\n\n-{title} “{text}” [{_place(one)}]"


def _place(one: _Said) -> str:
    if all(segment.page is None for segment in one.source.segments[:1]):
        return clock(one.statement.start_ms)
    cited = index_of(one.source.segments).cite(one.statement.text)
    return f"p. {cited.page if cited else 1}"


def _shortened(text: str) -> str:
    if len(text) <= _MOST_LETTERS:
        return text
    return text[:_MOST_LETTERS].rpartition(" ")[0] or text[:_MOST_LETTERS]

"""The lecture as read: statements, what it is about, what matters, what is defined.

All artifacts are written from one reading, so that they speak of the same terms.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from common.presets import Preset
from common.providers.llm.extractive.emphasis import facet_weights, wishes
from common.study import Citation, StudyMaterial
from common.text import cues
from common.text.cohesion import topics
from common.text.definitions import Definition, definition
from common.text.phrases import Lexicon, Phrase, key_phrases, lexicon
from common.text.ranking import Vector, text_rank, vectors
from common.text.statements import Statement, statements
from common.text.words import content_stems, stop_words, words

_STATEMENTS_PER_TOPIC = {
    "very_short": 7,
    "short": 9,
    "hierarchical": 11,
    "medium": 10,
    "argument_based": 12,
}
_MOST_TOPICS = 16  # more headings than that are no outline
_GOOD_LENGTH = range(6, 36)  # words of a statement that can be learnt


@dataclass(frozen=True, slots=True)
class Line:
    """One statement with all that its artifacts need to know.

    ``said`` is the sentence to be read. ``worth`` is 0 to about 2 and only compares
    within one lecture. ``sound``: it is complete, on the subject and understood alone.
    ``defines``: it says what a term means.
    """

    index: int
    said: str
    statement: Statement
    facets: frozenset[str]
    phrases: tuple[Phrase, ...]
    worth: float
    sound: bool
    defines: bool

    @property
    def length(self) -> int:
        """Words."""
        return len(self.statement.words)


@dataclass(frozen=True, slots=True)
class Defined:
    """A definition and the line that gives it."""

    definition: Definition
    line: Line


@dataclass(frozen=True, slots=True)
class Reading:
    """One lecture, read with one preset. ``rows`` has a vector for each line."""

    material: StudyMaterial
    lines: tuple[Line, ...]
    lexicon: Lexicon
    phrases: tuple[Phrase, ...]
    defined: Mapping[tuple[str, ...], Defined]
    rows: tuple[Vector, ...]
    topics: tuple[range, ...]

    @property
    def preset(self) -> Preset:
        """The way to study this lecture."""
        return self.material.preset

    def cite(self, *lines: Line) -> list[Citation]:
        """Return citations of these lines, word for word; the times are not ours."""
        return [Citation(quote=line.statement.text) for line in lines]

    def best(self, lines: Iterable[Line], count: int) -> list[Line]:
        """Return the lines worth most, best first."""
        return sorted(lines, key=lambda line: (-line.worth, line.index))[:count]

    def with_phrase(self, phrase: Phrase) -> list[Line]:
        """Return the sound lines in which this phrase stands, in order."""
        return [self.lines[i] for i in phrase.where if self.lines[i].sound]

    def is_generic(self, phrase: Phrase) -> bool:
        """Return whether a single word only matters as a part of longer terms."""
        return (
            len(phrase.stems) == 1
            and phrase.stems not in self.defined
            and any(phrase.stems[0] in p.stems for p in self.phrases if p != phrase)
        )

    def source_of(self, found: Defined) -> list[Citation]:
        """Return what a definition is taken from: one line, or two."""
        before = (
            [self.lines[found.line.index - 1]] if found.definition.needs_before else []
        )
        return self.cite(*before, found.line)


def read(material: StudyMaterial) -> Reading:
    """Return the reading of a lecture; no lines if nobody spoke."""
    said = statements(material.segments)
    stop = stop_words([statement.words for statement in said])
    stems = [content_stems(statement.words, stop) for statement in said]
    rows = vectors(stems)
    definitions = _definitions(said)
    known = lexicon(said, stop)
    phrases = key_phrases(
        said,
        known,
        favoured={_stems(d.term) for d in definitions.values()}
        | _title_terms(material),
    )
    measures = _Measures(
        ranks=text_rank(rows),
        stems=stems,
        definitions=definitions,
        standing=_phrases_by_line(phrases),
        top_score=max((phrase.score for phrase in phrases), default=1.0),
        weights=facet_weights(material),
        wishes=wishes(material.preset),
    )
    lines = tuple(measures.line(statement) for statement in said)
    return Reading(
        material=material,
        lines=lines,
        lexicon=known,
        phrases=phrases,
        defined=_by_term(definitions, lines),
        rows=rows,
        topics=tuple(topics(rows, _topic_count(material.preset, len(rows)))),
    )


def _stems(term: str) -> tuple[str, ...]:
    return tuple(word.stem for word in words(term))


def _title_terms(material: StudyMaterial) -> set[tuple[str, ...]]:
    """Return every run of words in the title: naming it there favours a phrase."""
    stems = _stems(material.title)
    return {
        stems[start:end]
        for start in range(len(stems))
        for end in range(start + 1, len(stems) + 1)
        if end - start > 1
    }


def _definitions(said: Sequence[Statement]) -> dict[int, Definition]:
    found = {}
    for statement in said:
        meaning = None if statement.doubtful else definition(statement.clean)
        if (
            meaning
            and meaning.needs_before
            and not _names_before(said, statement.index)
        ):
            meaning = None
        if meaning:
            found[statement.index] = meaning
    return found


def _names_before(said: Sequence[Statement], index: int) -> bool:
    """Return whether the statement before can be what "this is called" points to."""
    before = cues.readable(said[index - 1].clean) if index else ""
    return bool(before) and _is_sound(said[index - 1], before)


def _by_term(
    definitions: Mapping[int, Definition], lines: Sequence[Line]
) -> dict[tuple[str, ...], Defined]:
    """Keep each term's best definition: one in itself before one that points back."""
    found: dict[tuple[str, ...], Defined] = {}
    for index, meaning in definitions.items():
        stems = _stems(meaning.term)
        if stems not in found or found[stems].definition.needs_before:
            found[stems] = Defined(meaning, lines[index])
    return found


def _topic_count(preset: Preset, statements_count: int) -> int:
    per_topic = _STATEMENTS_PER_TOPIC[preset.outputProfile.chunking]
    return max(1, min(_MOST_TOPICS, round(statements_count / per_topic)))


@dataclass(frozen=True, slots=True)
class _Measures:
    """What the worth of a line is made of; by index of the statement, or for all."""

    ranks: Sequence[float]
    stems: Sequence[Sequence[str]]
    definitions: Mapping[int, Definition]
    standing: Mapping[int, Sequence[Phrase]]
    top_score: float
    weights: Mapping[str, float]
    wishes: frozenset[str]

    def line(self, statement: Statement) -> Line:
        """Return the statement as a line."""
        text = cues.readable(statement.clean)
        facets = cues.facets(text)
        sound = _is_sound(statement, text)
        worth = self._substance(statement.index) + self._stress(statement.index, facets)
        worth -= (0.0 if sound else 0.8) + 0.2 * cues.is_example(text)
        return Line(
            index=statement.index,
            said=text,
            statement=statement,
            facets=facets,
            phrases=tuple(self.standing.get(statement.index, ())),
            worth=worth,
            sound=sound,
            defines=statement.index in self.definitions,
        )

    def _substance(self, index: int) -> float:
        """Return what a statement says about the lecture's subject."""
        scores = sum(phrase.score for phrase in self.standing.get(index, ()))
        terms = min(1.0, scores / (2 * self.top_score))
        return (
            0.6 * self.ranks[index] + 0.5 * terms + 0.25 * (index in self.definitions)
        )

    def _stress(self, index: int, facets: frozenset[str]) -> float:
        """Return how much a statement is what the preset asks for."""
        wished = len(self.wishes.intersection(self.stems[index]))
        stressed = sum(self.weights[facet] for facet in sorted(facets))
        return 0.25 * stressed + 0.3 * min(2, wished)


def _is_sound(statement: Statement, text: str) -> bool:
    return (
        not statement.doubtful
        and (len(statement.words) in _GOOD_LENGTH or not text.isascii())
        and cues.stands_alone(text)
        and cues.is_complete(statement.clean)
        and not cues.is_talk(text)
        and not cues.is_belief(text)
        and not cues.is_question(text)
    )


def _phrases_by_line(phrases: Sequence[Phrase]) -> dict[int, list[Phrase]]:
    standing: dict[int, list[Phrase]] = {}
    for phrase in phrases:
        for index in phrase.where:
            standing.setdefault(index, []).append(phrase)
    return standing

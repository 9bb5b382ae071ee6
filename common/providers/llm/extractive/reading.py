"""The lecture as read: statements, what it is about, what matters, what is defined.

All artifacts are written from one reading, so that they speak of the same terms.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from common.presets import FACETS, Preset
from common.study import Citation, StudyMaterial
from common.text import cues
from common.text.cohesion import topics
from common.text.definitions import Definition, definition
from common.text.phrases import Lexicon, Phrase, key_phrases, lexicon
from common.text.ranking import Vector, text_rank, vectors
from common.text.statements import Statement, statements
from common.text.words import content_stems, stop_words, words

_LEVELS = {"very_high": 2.0, "high": 1.5, "medium": 1.0, "low": 0.6, "very_low": 0.3}
_STATEMENTS_PER_TOPIC = {
    "very_short": 7,
    "short": 9,
    "hierarchical": 11,
    "medium": 10,
    "argument_based": 12,
}
_MOST_TOPICS = 16  # more headings than that are no outline
_GOOD_LENGTH = range(6, 36)  # words of a statement that can be learnt

# How much each facet counts in a kind of lecture; all equal when it is not known.
_MODES: Mapping[str, Mapping[str, float]] = {
    "MATHEMATICS": {
        "what": 2.1,
        "how": 2.1,
        "where": 1.2,
        "when": 0.6,
        "who": 0.0,
        "why": 0.0,
    },
    "NATURAL_SCIENCE": {
        "what": 1.4,
        "how": 1.6,
        "where": 1.0,
        "when": 0.8,
        "who": 0.2,
        "why": 1.0,
    },
    "SOCIAL_SCIENCE": {
        "what": 1.0,
        "how": 0.8,
        "where": 0.8,
        "when": 1.0,
        "who": 1.2,
        "why": 1.2,
    },
    "HUMANITIES": {
        "what": 0.8,
        "how": 0.5,
        "where": 0.8,
        "when": 1.2,
        "who": 1.4,
        "why": 1.3,
    },
}


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
    lines = _lines(material, said, rows, phrases, definitions, stems)
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


def _lines(
    material: StudyMaterial,
    said: Sequence[Statement],
    rows: Sequence[Vector],
    phrases: Sequence[Phrase],
    definitions: Mapping[int, Definition],
    stems: Sequence[Sequence[str]],
) -> tuple[Line, ...]:
    ranks = text_rank(rows)
    standing = _phrases_by_line(phrases)
    weights = facet_weights(material)
    wishes = _wishes(material.preset)
    top = max((phrase.score for phrase in phrases), default=1.0)
    lines = []
    for statement in said:
        index = statement.index
        text = cues.readable(statement.clean)
        here = tuple(standing.get(index, ()))
        speaks_to = cues.facets(text)
        sound = _is_sound(statement, text)
        worth = ranks[index] * 0.6
        worth += 0.5 * min(1.0, sum(p.score for p in here) / (2 * top))
        worth += 0.15 * sum(weights[facet] for facet in speaks_to)
        worth += 0.25 * (index in definitions)
        worth += 0.3 * min(2, len(wishes.intersection(stems[index])))
        worth -= 0.0 if sound else 0.8
        worth -= 0.2 * cues.is_example(text)
        defines = index in definitions
        lines.append(
            Line(index, text, statement, speaks_to, here, worth, sound, defines)
        )
    return tuple(lines)


def _is_sound(statement: Statement, text: str) -> bool:
    return (
        not statement.doubtful
        and (len(statement.words) in _GOOD_LENGTH or not text.isascii())
        and cues.stands_alone(text)
        and cues.is_complete(statement.clean)
        and not cues.is_talk(text)
        and not cues.is_question(text)
    )


def _phrases_by_line(phrases: Sequence[Phrase]) -> dict[int, list[Phrase]]:
    standing: dict[int, list[Phrase]] = {}
    for phrase in phrases:
        for index in phrase.where:
            standing.setdefault(index, []).append(phrase)
    return standing


def facet_weights(material: StudyMaterial) -> dict[str, float]:
    """Return how much each facet counts, 1.0 on average before emphasis.

    The preset's weight, times its emphasis in words, times what the kind of lecture
    is good for.
    """
    shares = material.preset.diceWeights.model_dump()
    levels = material.preset.outputProfile.emphasis.model_dump()
    mode = _MODES.get(material.lecture_mode or "", {})
    return {
        facet: shares[facet]
        * len(FACETS)
        * _LEVELS[levels[facet]]
        * mode.get(facet, 1.0)
        for facet in FACETS
    }


def _wishes(preset: Preset) -> frozenset[str]:
    """Return the stems of what the preset asks for in words.

    Its instructions cannot be obeyed without a language model, but a lecture's
    statements that speak of what they mention can be preferred.
    """
    texts = (
        preset.description,
        *preset.optimizedFor,
        *preset.generation_config.special_instructions,
        *(preset.targetDisciplines or ()),
    )
    found = words(re.sub(r"[-_]", " ", " ".join(texts)))
    return frozenset(content_stems(found, stop_words([found])))

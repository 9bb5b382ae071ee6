"""The terms of a lecture worth learning, each with the words that explain it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.providers.llm.extractive.emphasis import facet_weights
from common.providers.llm.extractive.reading import Defined, Line, Reading
from common.providers.llm.extractive.voice import quoted, sentence_case
from common.study import Citation, Term
from common.text.cues import is_example
from common.text.phrases import Phrase

_WORDS_PER_TERM = 45  # a lecture does not introduce terms faster
_FEWEST, _MOST = 3, 20
_OFTEN = 5  # times; a single word that nobody defines and few say is no term
_SUBJECT_PLACE = 3  # words before it at most; further on, a line is not about it


@dataclass(frozen=True, slots=True)
class Entry:
    """One term: ``label`` as written inside a sentence, and what explains it.

    ``defined`` is None when the lecture only uses the term; ``line`` is then the line
    that says most about it.
    """

    phrase: Phrase
    label: str
    defined: Defined | None
    line: Line

    @property
    def is_plural(self) -> bool:
        """Whether the label names several."""
        return not self.label.lower().endswith(self.phrase.stems[-1])


def glossary(reading: Reading) -> tuple[Entry, ...]:
    """Return the terms worth learning, best first; the defined ones come before."""
    entries = _entries(reading, said=_OFTEN)
    if len(entries) < _FEWEST:
        entries = _entries(reading, said=1)
    weights = facet_weights(reading.material)
    entries.sort(key=lambda entry: (entry.defined is None, -_value(entry, weights)))
    count = sum(line.length for line in reading.lines) // _WORDS_PER_TERM
    return tuple(entries[: max(_FEWEST, min(_MOST, count))])


def _value(entry: Entry, weights: Mapping[str, float]) -> float:
    """Return a term's weight; terms explained by a facet the preset stresses gain."""
    stressed = sum(weights[facet] for facet in sorted(entry.line.facets))
    return math.sqrt(entry.phrase.score) * (1 + 0.25 * stressed)


def _entries(reading: Reading, *, said: int) -> list[Entry]:
    """Return the entries; single words without a definition if said that often."""
    found = (_entry(phrase, reading, said) for phrase in reading.phrases)
    return [entry for entry in found if entry]


def _entry(phrase: Phrase, reading: Reading, said: int) -> Entry | None:
    found = reading.defined.get(phrase.stems)
    if found:
        return Entry(phrase, _own_label(phrase, found), found, found.line)
    lines = [
        line
        for line in reading.with_phrase(phrase)
        if not line.defines and _place(line, phrase) <= _SUBJECT_PLACE
    ]
    said_often = len(phrase.stems) > 1 or phrase.count >= said
    if not lines or reading.is_generic(phrase) or not said_often:
        return None
    line = max(lines, key=lambda line: (_says(line, phrase), -line.index))
    return Entry(phrase, phrase.label, None, line)


def _own_label(phrase: Phrase, found: Defined) -> str:
    """Return the term as defined: "an antibody is" does not explain "antibodies"."""
    term = found.definition.term
    is_name = phrase.label[:1].isupper() or term[1:2].isupper()
    return term if is_name else term[:1].lower() + term[1:]


def _place(line: Line, phrase: Phrase) -> int:
    """Return which word of the line the phrase begins at, from 0."""
    return [word.stem for word in line.statement.words].index(phrase.stems[0])


def _says(line: Line, phrase: Phrase) -> float:
    """Return how much a line says about a phrase: most where it is the subject."""
    return line.worth + max(0.0, 0.6 - 0.15 * _place(line, phrase))


def meaning(entry: Entry, reading: Reading) -> str:
    """Return what the term means, in the lecture's own words."""
    found = entry.defined
    if found is None:
        return f"In the lecture: “{quoted(entry.line.said)}”"
    if found.definition.needs_before:
        before = reading.lines[found.line.index - 1]
        return f"In the lecture: “{quoted(before.said)} {quoted(found.line.said)}”"
    if found.definition.is_phrase:
        return sentence_case(found.definition.body) + "."
    return found.line.said


def sources(entry: Entry, reading: Reading) -> list[Citation]:
    """Return what the meaning is taken from."""
    if entry.defined:
        return reading.source_of(entry.defined)
    return reading.cite(entry.line)


def key_terms(entries: Sequence[Entry], reading: Reading) -> list[Term]:
    """Return the terms with their meanings and, where there is one, an example."""
    return [_term(entry, reading) for entry in entries]


def _term(entry: Entry, reading: Reading) -> Term:
    example = _example(entry, reading)
    cited = sources(entry, reading) + (reading.cite(example) if example else [])
    return Term(
        term=sentence_case(entry.label),
        definition=meaning(entry, reading),
        example=example.said if example else None,
        citations=cited,
    )


def _example(entry: Entry, reading: Reading) -> Line | None:
    """Return the best other line about the term; one that is an example comes first."""
    others = [
        line
        for line in reading.with_phrase(entry.phrase)
        if line.index != entry.line.index and not line.defines
    ]
    return max(
        others,
        key=lambda line: (is_example(line.said), line.worth, -line.index),
        default=None,
    )

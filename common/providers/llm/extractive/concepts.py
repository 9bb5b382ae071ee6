"""Concepts for the course's threads: new ones, and what changed about known ones."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from common.providers.llm.extractive.emphasis import facet_weights
from common.providers.llm.extractive.glossary import Entry, meaning
from common.providers.llm.extractive.notes import Notes
from common.providers.llm.extractive.reading import Line
from common.providers.llm.extractive.voice import sentence_case
from common.study import (
    FACE_OF_FACET,
    Concept,
    ConceptUpdate,
    Face,
    KnownThread,
)
from common.text.words import words

_MOST = 12
_EVIDENCE_CHARACTERS = 180  # what an occurrence can hold
_ADVANCED_FROM = 3  # complexity level
_AGAINST = re.compile(
    r"\b(?:however|in fact|actually not|not true|contrary|mistaken?|wrong|no longer)\b",
    re.IGNORECASE,
)
_DEEPER = re.compile(
    r"\b(?:more (?:precisely|generally|complex)|in general|formally|strictly|in detail"
    r"|advanced|generali[sz]\w+|exceptions?|special case|depends on|whereas)\b",
    re.IGNORECASE,
)


def concepts(notes: Notes) -> list[Concept]:
    """Return the concepts that no thread of the course follows yet, best first."""
    known = {_stems(thread.title) for thread in notes.reading.material.threads}
    fresh = [entry for entry in notes.entries if entry.phrase.stems not in known]
    return [_concept(entry, notes) for entry in fresh[:_MOST]]


def _concept(entry: Entry, notes: Notes) -> Concept:
    level = _level(entry, notes)
    title = sentence_case(entry.label)
    singular = sentence_case(" ".join(entry.phrase.stems))
    return Concept(
        title=title,
        summary=meaning(entry, notes.reading),
        evidence=evidence(entry.line),
        face=_face(notes.reading.with_phrase(entry.phrase) or [entry.line], notes),
        complexity_level=level,
        status="advanced" if level >= _ADVANCED_FROM else "foundational",
        aliases=[singular]
        if entry.is_plural and singular.lower() != title.lower()
        else [],
    )


def evidence(line: Line) -> str:
    """Return the line word for word, whole words only, as far as there is room."""
    text = line.statement.text
    if len(text) <= _EVIDENCE_CHARACTERS:
        return text
    cut = text[: _EVIDENCE_CHARACTERS + 1]
    return cut.rpartition(" ")[0] or text[:_EVIDENCE_CHARACTERS]


def _face(lines: Sequence[Line], notes: Notes) -> Face:
    """Return the face of the facet that these lines, and the preset, stress most."""
    weights = facet_weights(notes.reading.material)
    telling = [line for line in lines if not line.defines] or list(lines)
    said = Counter(facet for line in telling for facet in line.facets)
    strength: Mapping[str, float] = {f: said[f] * weights[f] for f in FACE_OF_FACET}
    best = max(FACE_OF_FACET, key=lambda f: (strength[f], weights[f]))
    return FACE_OF_FACET[best]


def _level(entry: Entry, notes: Notes) -> int:
    """Return 1 to 5: late, rarely said and made of many words is advanced."""
    late = entry.phrase.where[0] / max(1, len(notes.reading.lines))
    rare = entry.phrase.count <= 2  # noqa: PLR2004 - named, then hardly used
    long = len(entry.phrase.stems) > 2  # noqa: PLR2004 - "x of y" is ordinary
    return min(5, 1 + (late > 0.33) + (late > 0.7) + rare + long)  # noqa: PLR2004 - thirds


def concept_updates(notes: Notes) -> list[ConceptUpdate]:
    """Return what this lecture says about concepts of earlier ones."""
    found = (_update(thread, notes) for thread in notes.reading.material.threads)
    return [update for update in found if update]


def _update(thread: KnownThread, notes: Notes) -> ConceptUpdate | None:
    stems = _stems(thread.title)
    lines = [line for line in notes.reading.lines if _says(line, stems)]
    if not stems or not lines:
        return None
    sound = [line for line in lines if line.sound] or lines
    change = _change(sound)
    cue = {"contradiction": _AGAINST, "complexity": _DEEPER}.get(change)
    telling = [line for line in sound if cue and cue.search(line.statement.clean)]
    [best] = notes.reading.best(telling or sound, 1)
    entry = next((e for e in notes.entries if e.phrase.stems == stems), None)
    return ConceptUpdate(
        title=thread.title,
        change_type=change,
        summary=meaning(entry, notes.reading) if entry and entry.defined else best.said,
        evidence=evidence(best),
        new_complexity_level=_level(entry, notes) if entry else None,
    )


def _change(
    lines: Iterable[Line],
) -> Literal["refinement", "contradiction", "complexity"]:
    said = " ".join(line.statement.clean for line in lines)
    if _AGAINST.search(said):
        return "contradiction"
    return "complexity" if _DEEPER.search(said) else "refinement"


def _stems(title: str) -> tuple[str, ...]:
    return tuple(word.stem for word in words(title))


def _says(line: Line, stems: tuple[str, ...]) -> bool:
    said = tuple(word.stem for word in line.statement.words)
    size = len(stems)
    return any(said[i : i + size] == stems for i in range(len(said) - size + 1))

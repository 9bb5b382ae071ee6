"""How the concepts of single lectures become threads that run through a course.

Pure: what a thread is follows from its contributions in the order of the lectures,
so the same lectures in the same order always give the same threads.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from common.study import Concept, ConceptUpdate
from common.text.words import stem

INTRODUCED = 0.85  # confidence of a concept's first mention, as clients know it
SEEN_AGAIN = 0.90
_ADVANCED = 3  # complexity from which a concept counts as advanced
_EVIDENCE_CHARACTERS = 180  # what clients have room for
_BESIDE = re.compile(r"[^\w+#]+")  # C, C++ and C# are three
_POSSESSIVE = re.compile(r"['\u2019]s\b")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one lecture says about one concept.

    ``change_type`` is None where the lecture brings no update of its own; a concept
    that is merely taken up again counts as refined.
    """

    lecture_id: str
    title: str
    summary: str
    evidence: str
    start_ms: int
    end_ms: int
    complexity_level: int
    status: str
    face: str | None = None
    aliases: tuple[str, ...] = ()
    change_type: str | None = None
    change_summary: str | None = None


@dataclass(frozen=True, slots=True)
class Contributed:
    """All that one lecture contributes.

    ``parts`` are by the key of their thread; ``names`` gives that key by every name
    under which the lecture may mean one of these threads.
    """

    parts: dict[str, Contribution]
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class ThreadState:
    """What a thread amounts to."""

    title: str
    aliases: tuple[str, ...]
    summary: str
    status: str
    complexity_level: int
    face: str | None
    lecture_refs: tuple[str, ...]
    evolution_notes: tuple[dict[str, str], ...]


def key(title: str) -> str:
    """Return a title as it is compared: case, punctuation, plurals do not count."""
    plain = unicodedata.normalize("NFKC", title).casefold()
    words = _BESIDE.split(_POSSESSIVE.sub("", plain))
    return " ".join(stem(word) for word in words if word) or plain


def contributions(
    lecture_id: str,
    concepts: Iterable[Concept],
    updates: Iterable[ConceptUpdate],
    known: Mapping[str, str],
) -> Contributed:
    """Return what a lecture contributes, one part per thread.

    Args:
        lecture_id: the lecture.
        concepts: what it introduces or takes up again.
        updates: what it changes about concepts of other lectures; those of unknown
            titles are dropped.
        known: the key of each thread of the course, by every name that it goes by.
    """
    parts: dict[str, Contribution] = {}
    names = dict(known)
    for concept in concepts:
        thread = _thread_of(concept, names)
        part = _from_concept(lecture_id, concept)
        parts[thread] = _joined(parts[thread], part) if thread in parts else part
        for name in (concept.title, *concept.aliases):
            names.setdefault(key(name), thread)
    for update in updates:
        if thread := names.get(key(update.title), ""):
            parts[thread] = _updated(lecture_id, parts.get(thread), update)
    return Contributed(parts, {n: t for n, t in names.items() if t in parts})


def fold(parts: Sequence[Contribution]) -> ThreadState:
    """Return what contributions, in the order of their lectures, amount to."""
    first, last = parts[0], parts[-1]
    level = max(part.complexity_level for part in parts)
    advanced = level >= _ADVANCED or any(p.status == "advanced" for p in parts)
    names = [name for part in parts for name in (part.title, *part.aliases)]
    own = key(first.title)
    return ThreadState(
        title=first.title,
        aliases=tuple(sorted({key(name) for name in names} - {own})),
        summary=last.summary,
        status="advanced" if advanced else "foundational",
        complexity_level=level,
        face=next((part.face for part in parts if part.face), None),
        lecture_refs=tuple(sorted({part.lecture_id for part in parts})),
        evolution_notes=tuple(_note(part) for part in parts[1:]),
    )


class _Changing(Protocol):
    @property
    def change_type(self) -> str | None: ...


def change_type(part: _Changing) -> str:
    """Return how a lecture that is not the first one changes the concept."""
    return part.change_type or "refinement"


def shortened(quote: str, characters: int) -> str:
    """Return the beginning of a quote: whole words that fit, nothing added."""
    if len(quote) <= characters:
        return quote
    return quote[: characters + 1].rpartition(" ")[0] or quote[:characters]


def _thread_of(concept: Concept, names: Mapping[str, str]) -> str:
    own = key(concept.title)
    matches = (names.get(key(name)) for name in (concept.title, *concept.aliases))
    return next((thread for thread in matches if thread), own)


def _joined(part: Contribution, again: Contribution) -> Contribution:
    """Return one part for a concept that a lecture names twice."""
    return replace(
        part,
        aliases=(*part.aliases, again.title, *again.aliases),
        complexity_level=max(part.complexity_level, again.complexity_level),
    )


def _from_concept(lecture_id: str, concept: Concept) -> Contribution:
    return Contribution(
        lecture_id=lecture_id,
        title=concept.title,
        summary=concept.summary,
        evidence=shortened(concept.evidence, _EVIDENCE_CHARACTERS),
        start_ms=concept.start_ms,
        end_ms=concept.end_ms,
        complexity_level=concept.complexity_level,
        status=concept.status,
        face=concept.face,
        aliases=tuple(concept.aliases),
    )


def _updated(
    lecture_id: str, part: Contribution | None, update: ConceptUpdate
) -> Contribution:
    """Add an update to what the lecture says of the concept otherwise, if it does."""
    level = update.new_complexity_level or 1
    if part is None:
        part = Contribution(
            lecture_id=lecture_id,
            title=update.title,
            summary=update.summary,
            evidence=shortened(update.evidence, _EVIDENCE_CHARACTERS),
            start_ms=update.start_ms,
            end_ms=update.end_ms,
            complexity_level=level,
            status="foundational",
        )
    return replace(
        part,
        complexity_level=max(part.complexity_level, level),
        change_type=update.change_type,
        change_summary=update.summary,
    )


def _note(part: Contribution) -> dict[str, str]:
    return {
        "lectureId": part.lecture_id,
        "changeType": change_type(part),
        "note": part.change_summary or part.summary,
    }

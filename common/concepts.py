"""How the concepts of single lectures become threads that run through a course.

Pure: what a thread is follows from its contributions in the order of the lectures,
so the same lectures in the same order always give the same threads.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from common.study import Concept, ConceptUpdate

INTRODUCED = 0.85  # confidence of a concept's first mention, as clients know it
SEEN_AGAIN = 0.90
_ADVANCED = 3  # complexity from which a concept counts as advanced
_BESIDE = re.compile(r"[^\w]+", re.UNICODE)


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
    """Return a title as titles are compared: case, marks and a plural do not count."""
    plain = unicodedata.normalize("NFKC", title).casefold()
    words = [word for word in _BESIDE.split(plain) if word]
    if words and len(words[-1]) > 3 and words[-1].endswith("s"):  # noqa: PLR2004
        words[-1] = words[-1].removesuffix("s")
    return " ".join(words) or plain


def contributions(
    lecture_id: str,
    concepts: Iterable[Concept],
    updates: Iterable[ConceptUpdate],
    known: Mapping[str, str],
) -> dict[str, Contribution]:
    """Return what a lecture contributes, by the key of the thread.

    Args:
        lecture_id: the lecture.
        concepts: what it introduces or takes up again.
        updates: what it changes about concepts of other lectures.
        known: the key of each thread of the course, by every name that it goes by.

    Returns:
        One contribution per thread. Updates of unknown titles are dropped.
    """
    found: dict[str, Contribution] = {}
    names = dict(known)
    for concept in concepts:
        thread = _thread_of(concept, names)
        found.setdefault(thread, _from_concept(lecture_id, concept))
        for name in (concept.title, *concept.aliases):
            names.setdefault(key(name), thread)
    for update in updates:
        thread = names.get(key(update.title), "")
        if thread in found or key(update.title) in known:
            found[thread] = _updated(lecture_id, found.get(thread), update)
    return found


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


def change_type(part: Contribution) -> str:
    """Return how a lecture that is not the first one changes the concept."""
    return part.change_type or "refinement"


def _thread_of(concept: Concept, names: Mapping[str, str]) -> str:
    own = key(concept.title)
    matches = (names.get(key(name)) for name in (concept.title, *concept.aliases))
    return next((thread for thread in matches if thread), own)


def _from_concept(lecture_id: str, concept: Concept) -> Contribution:
    return Contribution(
        lecture_id=lecture_id,
        title=concept.title,
        summary=concept.summary,
        evidence=concept.evidence,
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
            evidence=update.evidence,
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

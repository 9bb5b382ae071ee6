"""The threads of a course in the database, kept true to their contributions."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID, uuid5

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from common import concepts
from common.concepts import INTRODUCED, SEEN_AGAIN, Contribution
from common.ids import new_id
from common.models import Lecture, Thread, ThreadContribution
from common.study import Concept, ConceptUpdate, KnownThread

# Ids follow from course and title, so that a replay gives the same ids.
_NAMESPACE = UUID("6f1c6f0a-5d0e-4f39-9a2b-5b6f0c5f7c11")


def known(
    session: Session, course_id: str
) -> tuple[tuple[KnownThread, ...], dict[str, str]]:
    """Return the threads of a course, oldest first, as a model is told of them.

    Returns:
        The threads, and the id of each by every name that it goes by.
    """
    rows = session.scalars(_of_course(course_id)).all()
    told = tuple(
        KnownThread(str(row.id), row.title, row.summary, tuple(row.lecture_refs))
        for row in rows
    )
    names = {name: str(row.id) for row in rows for name in (row.key, *row.aliases)}
    return told, names


def ids_of(
    course_id: str, found: Iterable[Concept], names: Mapping[str, str]
) -> dict[str, str]:
    """Return the id of each concept's thread, by the key of its title.

    Known threads have theirs; a new one's follows from its title.
    """
    ids = dict(names)
    for concept in found:
        key = concepts.key(concept.title)
        ids.setdefault(key, str(_id(course_id, key)))
    return ids


def replace(
    session: Session,
    course_id: str,
    lecture_id: str,
    found: Sequence[Concept],
    updates: Sequence[ConceptUpdate],
) -> None:
    """Put a lecture's contributions in the place of its earlier ones.

    Other lectures' contributions stay as they are; every thread that is touched is
    made anew from all of its own. One lecture of a course at a time.
    """
    _lock(session, course_id)
    touched = _withdraw(session, lecture_id)
    threads = {thread.key: thread for thread in session.scalars(_of_course(course_id))}
    names = {name: t.key for t in threads.values() for name in (t.key, *t.aliases)}
    parts = concepts.contributions(lecture_id, found, updates, names)
    for key, part in parts.items():
        thread = threads.get(key) or _new(session, course_id, key, part)
        session.add(_row(thread.id, part))
        touched.add(thread.id)
    session.flush()
    _refold(session, touched)


def withdraw(session: Session, course_id: str, lecture_id: str) -> int:
    """Take a lecture out of its course's threads; return how many it was in.

    A thread that no lecture contributes to any more is removed.
    """
    _lock(session, course_id)
    touched = _withdraw(session, lecture_id)
    _refold(session, touched)
    return len(touched)


def _of_course(course_id: str) -> Select[Thread]:
    return (
        select(Thread)
        .where(Thread.course_id == course_id)
        .order_by(Thread.created_at, Thread.id)
    )


def _lock(session: Session, course_id: str) -> None:
    """Let one lecture of a course at a time touch its threads.

    Not the course's row: an upload locks that before the lecture's, we after it.
    """
    name = func.hashtextextended(f"threads:{course_id}", 0)
    session.execute(select(func.pg_advisory_xact_lock(name)))


def _withdraw(session: Session, lecture_id: str) -> set[UUID]:
    gone = session.scalars(
        delete(ThreadContribution)
        .where(ThreadContribution.lecture_id == lecture_id)
        .returning(ThreadContribution.thread_id)
    )
    return set(gone)


def _new(session: Session, course_id: str, key: str, part: Contribution) -> Thread:
    thread = Thread(
        id=_id(course_id, key),
        course_id=course_id,
        key=key,
        aliases=[],
        title=part.title,
        summary=part.summary,
        status=part.status,
        complexity_level=part.complexity_level,
        lecture_refs=[],
    )
    session.add(thread)
    session.flush()
    return thread


def _id(course_id: str, key: str) -> UUID:
    return uuid5(_NAMESPACE, f"{course_id}\n{key}")


def _row(thread_id: UUID, part: Contribution) -> ThreadContribution:
    return ThreadContribution(
        id=new_id(),
        thread_id=thread_id,
        lecture_id=part.lecture_id,
        title=part.title,
        aliases=list(part.aliases),
        summary=part.summary,
        face=part.face,
        complexity_level=part.complexity_level,
        status=part.status,
        evidence=part.evidence,
        start_ms=part.start_ms,
        end_ms=part.end_ms,
        confidence=INTRODUCED,
        change_type=part.change_type,
        change_summary=part.change_summary,
    )


def _refold(session: Session, thread_ids: Iterable[UUID]) -> None:
    """Make these threads anew from their contributions, in the lectures' order."""
    ids = list(thread_ids)
    parts: dict[UUID, list[ThreadContribution]] = {id_: [] for id_ in ids}
    rows = session.scalars(
        select(ThreadContribution)
        .join(Lecture, Lecture.id == ThreadContribution.lecture_id)
        .where(ThreadContribution.thread_id.in_(ids))
        .order_by(Lecture.created_at, Lecture.id)
    )
    for row in rows:
        parts[row.thread_id].append(row)
    empty = [id_ for id_, found in parts.items() if not found]
    session.execute(delete(Thread).where(Thread.id.in_(empty)))
    query = select(Thread).where(Thread.id.in_(set(ids) - set(empty)))
    for thread in session.scalars(query):
        _set_state(thread, parts[thread.id])


def _set_state(thread: Thread, rows: Sequence[ThreadContribution]) -> None:
    state = concepts.fold([_contribution(row) for row in rows])
    thread.title = state.title
    thread.aliases = sorted({*state.aliases, concepts.key(state.title)} - {thread.key})
    thread.summary = state.summary
    thread.status = state.status
    thread.complexity_level = state.complexity_level
    thread.face = state.face
    thread.lecture_refs = list(state.lecture_refs)
    thread.evolution_notes = list(state.evolution_notes) or None
    for number, row in enumerate(rows):
        row.confidence = SEEN_AGAIN if number else INTRODUCED


def _contribution(row: ThreadContribution) -> Contribution:
    return Contribution(
        lecture_id=row.lecture_id,
        title=row.title,
        summary=row.summary,
        evidence=row.evidence,
        start_ms=row.start_ms or 0,
        end_ms=row.end_ms or 0,
        complexity_level=row.complexity_level,
        status=row.status,
        face=row.face,
        aliases=tuple(row.aliases),
        change_type=row.change_type,
        change_summary=row.change_summary,
    )

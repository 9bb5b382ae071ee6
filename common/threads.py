"""The threads of a course in the database, kept true to their contributions.

A thread runs through lectures of one owner only: what one person's lectures say gets
neither into another's threads nor into what a model is told with another's lecture.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy import Select, delete, select, tuple_
from sqlalchemy.orm import Session

from common import concepts
from common.concepts import INTRODUCED, SEEN_AGAIN, Contributed, Contribution
from common.ids import new_id
from common.models import Course, Lecture, Thread, ThreadContribution
from common.study import Concept, ConceptUpdate, KnownThread

# Ids follow from course and title, so that a replay gives the same ids.
_NAMESPACE = UUID("6f1c6f0a-5d0e-4f39-9a2b-5b6f0c5f7c11")
_MOST_TOLD = 200  # threads that a model is told of: about 10,000 tokens


def lock(session: Session, lecture_id: str) -> None:
    """Lock the course of a lecture, so that its threads change one lecture at a time.

    Comes before the lecture's own lock: who deletes a course has that order, too.
    """
    session.execute(
        select(Course.id)
        .join(Lecture, Lecture.course_id == Course.id)
        .where(Lecture.id == lecture_id)
        .with_for_update(of=Course, key_share=True)
    )


def known(session: Session, course_id: str, lecture_id: str) -> tuple[KnownThread, ...]:
    """Return what a model is told before it reads a lecture, oldest thread first.

    These are the threads as the lectures before it left them: making the lecture's
    material anew thus starts from the same, whatever came later.
    """
    owner_id = _owner(session, lecture_id)
    this = select(Lecture.created_at, Lecture.id).where(Lecture.id == lecture_id)
    rows = session.scalars(
        _in_order()
        .join(Thread, Thread.id == ThreadContribution.thread_id)
        .where(
            Thread.course_id == course_id,
            Thread.owner_id.is_not_distinct_from(owner_id),
            tuple_(Lecture.created_at, Lecture.id) < this.scalar_subquery(),
        )
    )
    parts: dict[UUID, list[Contribution]] = {}
    for row in rows:  # a thread that is taken up again moves to the end
        parts[row.thread_id] = [*parts.pop(row.thread_id, ()), _contribution(row)]
    newest = dict(list(parts.items())[-_MOST_TOLD:])
    order = session.scalars(_of_course(course_id, owner_id)).all()
    return tuple(_told(row.id, newest[row.id]) for row in order if row.id in newest)


def plan(
    session: Session,
    course_id: str,
    lecture_id: str,
    found: Sequence[Concept],
    updates: Sequence[ConceptUpdate],
) -> dict[str, str]:
    """Return what ``replace`` would return now; nothing is written."""
    place = _Place(course_id, _owner(session, lecture_id))
    return _ids(place, _contributed(session, place, lecture_id, found, updates))


def replace(
    session: Session,
    course_id: str,
    lecture_id: str,
    found: Sequence[Concept],
    updates: Sequence[ConceptUpdate],
) -> dict[str, str]:
    """Put a lecture's contributions in the place of its earlier ones.

    Other lectures' contributions stay as they are; every thread that is touched is
    made anew from all of its own. The caller holds the ``lock``.

    Returns:
        The ids of the threads that the lecture now contributes to, by the key of each
        name that it may use for them.
    """
    place = _Place(course_id, _owner(session, lecture_id))
    contributed = _contributed(session, place, lecture_id, found, updates)
    touched = _withdraw(session, lecture_id)
    there = session.scalars(_of_course(course_id, place.owner_id))
    threads = {thread.key: thread for thread in there}
    for key, part in contributed.parts.items():
        if key not in threads:
            threads[key] = _new(place, key, part)
            session.add(threads[key])
    session.flush()  # the threads before what refers to them
    for key, part in contributed.parts.items():
        session.add(_row(threads[key].id, part))
        touched.add(threads[key].id)
    session.flush()
    _refold(session, touched)
    return _ids(place, contributed)


def withdraw(session: Session, lecture_id: str) -> int:
    """Take a lecture out of its course's threads; return how many it was in.

    A thread that no lecture contributes to any more is removed. The caller holds the
    ``lock``.
    """
    touched = _withdraw(session, lecture_id)
    _refold(session, touched)
    return len(touched)


@dataclass(frozen=True, slots=True)
class _Place:
    """What all lectures of a thread have in common."""

    course_id: str
    owner_id: int | None


def _owner(session: Session, lecture_id: str) -> int | None:
    return session.scalar(select(Lecture.owner_id).where(Lecture.id == lecture_id))


def _contributed(
    session: Session,
    place: _Place,
    lecture_id: str,
    found: Sequence[Concept],
    updates: Sequence[ConceptUpdate],
) -> Contributed:
    names = _names(session, place, lecture_id)
    return concepts.contributions(lecture_id, found, updates, names)


def _names(session: Session, place: _Place, lecture_id: str) -> dict[str, str]:
    """Return the key of each thread that other lectures follow, by each of its names.

    A thread's key is its own; of an alias that two threads have, the older one's wins.
    """
    rows = session.execute(
        select(ThreadContribution.title, ThreadContribution.aliases, Thread.key)
        .join(Thread, Thread.id == ThreadContribution.thread_id)
        .where(
            Thread.course_id == place.course_id,
            Thread.owner_id.is_not_distinct_from(place.owner_id),
            ThreadContribution.lecture_id != lecture_id,
        )
        .order_by(Thread.created_at, Thread.id)
    ).all()
    names = {row.key: row.key for row in rows}
    for row in rows:
        for name in (row.title, *row.aliases):
            names.setdefault(concepts.key(name), row.key)
    return names


def _ids(place: _Place, contributed: Contributed) -> dict[str, str]:
    return {name: str(_id(place, key)) for name, key in contributed.names.items()}


def _of_course(course_id: str, owner_id: int | None) -> Select[Thread]:
    return (
        select(Thread)
        .where(
            Thread.course_id == course_id,
            Thread.owner_id.is_not_distinct_from(owner_id),
        )
        .order_by(Thread.created_at, Thread.id)
    )


def _in_order() -> Select[ThreadContribution]:
    """Return the query for contributions in the order of their lectures."""
    return (
        select(ThreadContribution)
        .join(Lecture, Lecture.id == ThreadContribution.lecture_id)
        .order_by(Lecture.created_at, Lecture.id, ThreadContribution.id)
    )


def _told(thread_id: UUID, parts: Sequence[Contribution]) -> KnownThread:
    state = concepts.fold(parts)
    return KnownThread(str(thread_id), state.title, state.summary, state.lecture_refs)


def _withdraw(session: Session, lecture_id: str) -> set[UUID]:
    gone = session.scalars(
        delete(ThreadContribution)
        .where(ThreadContribution.lecture_id == lecture_id)
        .returning(ThreadContribution.thread_id)
    )
    return set(gone)


def _new(place: _Place, key: str, part: Contribution) -> Thread:
    return Thread(
        id=_id(place, key),
        course_id=place.course_id,
        owner_id=place.owner_id,
        key=key,
        aliases=[],
        title=part.title,
        summary=part.summary,
        status=part.status,
        complexity_level=part.complexity_level,
        lecture_refs=[],
    )


def _id(place: _Place, key: str) -> UUID:
    whose = "" if place.owner_id is None else f"\n{place.owner_id}"
    return uuid5(_NAMESPACE, f"{place.course_id}\n{key}{whose}")


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
    parts: dict[UUID, list[ThreadContribution]] = defaultdict(list)
    rows = _in_order().where(ThreadContribution.thread_id.in_(ids))
    for row in session.scalars(rows):
        parts[row.thread_id].append(row)
    empty = [id_ for id_ in ids if id_ not in parts]
    session.execute(delete(Thread).where(Thread.id.in_(empty)))
    for thread in session.scalars(select(Thread).where(Thread.id.in_(parts))):
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

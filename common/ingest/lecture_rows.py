"""A lecture's rows when its recording comes in, for the first time or again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common import jobs, objects, threads
from common.errors import NotFound
from common.jobs.payloads import lecture_subject
from common.models import (
    LIVE_STATES,
    Course,
    Job,
    Lecture,
    Recording,
    TranscriptRecord,
)

_NOW = timedelta(0)

_RENAME_COURSE = text("""
insert into courses (id, title, owner_id) values (:id, :title, :owner)
on conflict (id) do update set title = excluded.title
returning owner_id
""")
_KEEP_COURSE = text("""
with new as (
  insert into courses (id, title, owner_id) values (:id, :title, :owner)
  on conflict (id) do nothing returning owner_id),
found as (
  select owner_id from courses where id = :id for key share)
select owner_id from new union all select owner_id from found
""")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A lecture that comes in: who sends it, whose its course is, and its columns."""

    lecture_id: str
    sender_id: int | None
    course_owner_id: int | None
    values: dict[str, Any]


def require_own(
    session: Session, *, course_id: str, lecture_id: str, owner_id: int | None
) -> None:
    """Refuse what is another's before anything is stored.

    Raises:
        NotFound: there is such a course or lecture, and it is another's.
    """
    course = select(literal("Course"), Course.owner_id).where(Course.id == course_id)
    lecture = select(literal("Lecture"), Lecture.owner_id).where(
        Lecture.id == lecture_id
    )
    for what, owner in session.execute(course.union_all(lecture)):
        _require(what, owner, owner_id)


def save_course(
    session: Session, course_id: str, title: str | None, owner_id: int | None
) -> int | None:
    """Make the course if it is new; its title changes only when one is sent.

    It is locked: nobody can delete it before it has got its lecture.

    Returns:
        Whose it is.

    Raises:
        NotFound: it is another's.
    """
    title = (title or "").strip()
    values = {"id": course_id, "title": title or course_id, "owner": owner_id}
    statement = _RENAME_COURSE if title else _KEEP_COURSE
    while (row := session.execute(statement, values).first()) is None:
        pass  # it was deleted at this moment: make it anew
    _require("Course", row.owner_id, owner_id)
    owner: int | None = row.owner_id
    return owner


def put(session: Session, incoming: Incoming) -> None:
    """Make the lecture, or give the one that is there these values.

    A recording that is replaced goes, with its transcript and the live jobs about it.
    The threads of a course that the lecture leaves lose what it contributed. In a
    course that has an owner all lectures are the owner's.

    Raises:
        NotFound: it is another's.
    """
    lecture = _insert_or_lock(session, incoming)
    if lecture is None:
        return
    _require("Lecture", lecture.owner_id, incoming.sender_id)
    replaced = lecture.recording_id
    if lecture.course_id != incoming.values["course_id"]:
        threads.withdraw(session, lecture.id)
    for name, value in incoming.values.items():
        setattr(lecture, name, value)
    lecture.owner_id = incoming.course_owner_id or lecture.owner_id
    session.flush()
    _drop_recording(session, replaced)
    _cancel_jobs(session, lecture.id)


def _require(what: str, owner_id: int | None, sender_id: int | None) -> None:
    if owner_id not in (None, sender_id):
        raise NotFound(f"{what} not found.")


def _insert_or_lock(session: Session, incoming: Incoming) -> Lecture | None:
    """Insert the lecture; return the one that is there already, locked.

    Of two first uploads at the same moment the second one waits here.
    """
    lecture_id = incoming.lecture_id
    owner_id = incoming.course_owner_id or incoming.sender_id
    statement = insert(Lecture).values(
        id=lecture_id, owner_id=owner_id, **incoming.values
    )
    statement = statement.on_conflict_do_nothing(index_elements=[Lecture.id])
    while True:
        if session.execute(statement.returning(Lecture.id)).first():
            return None
        threads.lock(session, lecture_id)
        # The lecture that was in the way may have been deleted since: then try again.
        if found := session.get(Lecture, lecture_id, with_for_update=True):
            return found


def _drop_recording(session: Session, recording_id: UUID) -> None:
    """Remove a replaced recording's rows, and have its objects removed."""
    transcripts = session.scalars(
        select(TranscriptRecord.object_key).where(
            TranscriptRecord.recording_id == recording_id
        )
    )
    keys = list(transcripts)
    [(audio, metadata)] = session.execute(
        delete(Recording)
        .where(Recording.id == recording_id)
        .returning(Recording.object_key, Recording.metadata_key)
    )
    keys += [key for key in (audio, metadata) if key]
    objects.doom(session, keys, after=_NOW)


def _cancel_jobs(session: Session, lecture_id: str) -> None:
    live = session.scalars(
        select(Job.id).where(
            Job.subject == lecture_subject(lecture_id), Job.state.in_(LIVE_STATES)
        )
    )
    for job_id in list(live):  # at most one per stage
        jobs.cancel(session, job_id)

"""A lecture's rows when its recording comes in, for the first time or again."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common import jobs, objects, threads
from common.jobs.payloads import lecture_subject
from common.models import (
    LIVE_STATES,
    Job,
    Lecture,
    Recording,
    TranscriptRecord,
)

_NOW = timedelta(0)

_RENAME_COURSE = text("""
insert into courses (id, title) values (:id, :title)
on conflict (id) do update set title = excluded.title
returning id
""")
_KEEP_COURSE = text("""
with new as (
  insert into courses (id, title) values (:id, :title)
  on conflict (id) do nothing returning id),
found as (
  select id from courses where id = :id for key share)
select id from new union all select id from found
""")


def save_course(session: Session, course_id: str, title: str | None) -> None:
    """Make the course if it is new; its title changes only when one is sent.

    It is locked: nobody can delete it before it has got its lecture.
    """
    title = (title or "").strip()
    values = {"id": course_id, "title": title or course_id}
    statement = _RENAME_COURSE if title else _KEEP_COURSE
    while session.execute(statement, values).first() is None:
        pass  # it was deleted at this moment: make it anew


def put(session: Session, lecture_id: str, values: dict[str, Any]) -> None:
    """Make the lecture, or give the one that is there these values.

    A recording that is replaced goes, with its transcript and the live jobs about it.
    The threads of a course that the lecture leaves lose what it contributed.
    """
    lecture = _insert_or_lock(session, lecture_id, values)
    if lecture is None:
        return
    replaced = lecture.recording_id
    if lecture.course_id != values["course_id"]:
        threads.withdraw(session, lecture_id)
    for name, value in values.items():
        setattr(lecture, name, value)
    session.flush()
    _drop_recording(session, replaced)
    _cancel_jobs(session, lecture_id)


def _insert_or_lock(
    session: Session, lecture_id: str, values: dict[str, Any]
) -> Lecture | None:
    """Insert the lecture; return the one that is there already, locked.

    Of two first uploads at the same moment the second one waits here.
    """
    statement = insert(Lecture).values(id=lecture_id, **values)
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

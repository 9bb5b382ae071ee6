"""Deleting lectures and courses: rows at once, objects by the sweep, with evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from common import jobs, objects, threads
from common.ids import new_id
from common.jobs.payloads import lecture_subject
from common.models import (
    LIVE_STATES,
    Artifact,
    Course,
    DeletionEvent,
    Export,
    Job,
    Lecture,
    Recording,
    TranscriptRecord,
)

_NOW = timedelta(0)


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants something deleted, and how much of it."""

    actor: str
    request_id: str | None
    purge_storage: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went with one lecture. ``storage_paths`` counts objects that will go."""

    artifacts: int
    exports: int
    jobs: int
    threads_updated: int
    storage_paths: int
    metadata_removed: bool

    def shown(self) -> dict[str, object]:
        """Return the counts as clients know them."""
        return {
            "artifacts": self.artifacts,
            "exports": self.exports,
            "jobs": self.jobs,
            "lectures": 1,
            "threadsUpdated": self.threads_updated,
            "storagePaths": self.storage_paths,
            "metadataRemoved": self.metadata_removed,
        }


def delete_lecture(session: Session, lecture: Lecture, order: Order) -> Deleted:
    """Remove a lecture and all that hangs on it; its course and it are locked.

    Running jobs lose their row, and with it the right to write: nothing can come back.
    """
    keys = _object_keys(session, lecture)
    counted = {
        "artifacts": _count(session, Artifact, lecture.id),
        "exports": _count(session, Export, lecture.id),
    }
    touched = threads.withdraw(session, lecture.id)
    gone = _delete_jobs(session, lecture.id)
    session.execute(delete(Lecture).where(Lecture.id == lecture.id))
    session.execute(delete(Recording).where(Recording.id == lecture.recording_id))
    if order.purge_storage:
        objects.doom(session, keys, after=_NOW)
    return Deleted(
        **counted,
        jobs=gone,
        threads_updated=touched,
        storage_paths=len(keys) if order.purge_storage else 0,
        metadata_removed=order.purge_storage,
    )


def lectures_of(session: Session, course_id: str) -> Sequence[Lecture]:
    """Return a course's lectures, locked, oldest first."""
    query = (
        select(Lecture)
        .where(Lecture.course_id == course_id)
        .order_by(Lecture.created_at, Lecture.id)
        .with_for_update()
    )
    return session.scalars(query).all()


def delete_course(session: Session, course: Course) -> None:
    """Remove a course whose lectures are gone."""
    session.execute(delete(Course).where(Course.id == course.id))


def record(
    session: Session,
    entity_type: str,
    entity_id: str,
    order: Order,
    result: dict[str, object],
) -> str:
    """Write the evidence, in the transaction that deletes; return the event's id."""
    event = DeletionEvent(
        id=new_id(),
        entity_type=entity_type,
        entity_id=entity_id,
        actor=order.actor,
        request_id=order.request_id,
        purge_storage=order.purge_storage,
        result=result,
    )
    session.add(event)
    return str(event.id)


def _object_keys(session: Session, lecture: Lecture) -> list[str]:
    recording = session.get_one(Recording, lecture.recording_id)
    own = (recording.object_key, recording.metadata_key)
    keys = [key for key in own if key is not None]
    for query in (
        select(TranscriptRecord.object_key).where(
            TranscriptRecord.recording_id == recording.id
        ),
        select(Artifact.object_key).where(Artifact.lecture_id == lecture.id),
        select(Export.object_key).where(Export.lecture_id == lecture.id),
    ):
        keys += session.scalars(query)
    return keys


def _count(session: Session, model: type[Artifact | Export], lecture_id: str) -> int:
    query = select(func.count()).where(model.lecture_id == lecture_id)
    return session.scalar(query) or 0


def _delete_jobs(session: Session, lecture_id: str) -> int:
    """Cancel what is live, so that its history says so, then remove the rows."""
    mine = Job.subject == lecture_subject(lecture_id)
    live = session.scalars(select(Job.id).where(mine, Job.state.in_(LIVE_STATES)))
    for job_id in live.all():  # at most one per stage
        jobs.cancel(session, job_id)
    gone = session.scalars(delete(Job).where(mine).returning(Job.id))
    return len(gone.all())

"""Deleting lectures and courses: rows at once, objects by the sweep, with evidence."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import CompoundSelect, delete, func, literal, select, union_all
from sqlalchemy.orm import Session

from common import events, jobs, ledger, objects, threads
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
    ThreadContribution,
    TranscriptRecord,
    Upload,
    UploadState,
)

_BATCH = 500  # lectures in one statement, in which each is named up to five times
_NOW = timedelta(0)
_COMING = (UploadState.OPEN, UploadState.COMPLETE)  # what they become is still open


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants something deleted, and how much of it.

    ``owner_id`` is whose it is; who could see what is gone sees the evidence, too.
    """

    actor: str
    request_id: str | None
    purge_storage: bool
    owner_id: int | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went with one lecture. ``storage_paths`` counts objects that will go."""

    artifacts: int
    exports: int
    jobs: int
    threads_updated: int
    storage_paths: int
    metadata_removed: bool
    owner_id: int | None

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
    touched = {lecture.id: threads.withdraw(session, lecture.id)}
    gone = _delete(session, [lecture], order, touched)[lecture.id]
    events.emit(session, _news(lecture, order))
    return gone


def delete_course(session: Session, course_id: str, order: Order) -> dict[str, Deleted]:
    """Remove a course, which is locked, with its threads and lectures.

    Returns:
        What went with each lecture, oldest first.
    """
    gone: dict[str, Deleted] = {}
    news: list[events.Fact] = []
    for part in _lectures(session, course_id):
        gone |= _delete(session, part, order, _threads_touched(session, part))
        news += [_news(lecture, order) for lecture in part]
    session.execute(delete(Course).where(Course.id == course_id))
    told = events.CourseDeleted(
        course_id=course_id, lectures=len(gone), purge_storage=order.purge_storage
    )
    events.emit(session, *news, told)
    return gone


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
        owner_id=order.owner_id,
        actor=order.actor,
        request_id=order.request_id,
        purge_storage=order.purge_storage,
        result=result,
    )
    session.add(event)
    return str(event.id)


def _news(lecture: Lecture, order: Order) -> events.LectureDeleted:
    return events.LectureDeleted(
        lecture_id=lecture.id,
        course_id=lecture.course_id,
        purge_storage=order.purge_storage,
    )


def _lectures(session: Session, course_id: str) -> Iterator[Sequence[Lecture]]:
    """Yield a course's lectures, all of them locked, oldest first, in batches."""
    query = (
        select(Lecture)
        .where(Lecture.course_id == course_id)
        .order_by(Lecture.created_at, Lecture.id)
        .with_for_update()
    )
    found = session.scalars(query).all()
    for start in range(0, len(found), _BATCH):
        yield found[start : start + _BATCH]


def _delete(
    session: Session,
    lectures: Sequence[Lecture],
    order: Order,
    threads_updated: Mapping[str, int],
) -> dict[str, Deleted]:
    """Remove these lectures: so many statements, however many rows there are."""
    owners = {lecture.id: lecture.owner_id for lecture in lectures}
    ids = list(owners)
    recordings = [lecture.recording_id for lecture in lectures]
    rows = session.execute(_objects(ids)).all()
    made = Counter((row.lecture_id, row.kind) for row in rows)
    stored = Counter(row.lecture_id for row in rows if order.purge_storage)
    gone = _delete_jobs(session, ids)
    _forget_uploads(session, ids)
    session.execute(delete(Lecture).where(Lecture.id.in_(ids)))
    session.execute(delete(Recording).where(Recording.id.in_(recordings)))
    if order.purge_storage:
        objects.doom(session, [row.object_key for row in rows], after=_NOW)
    return {
        id_: Deleted(
            artifacts=made[id_, "artifact"],
            exports=made[id_, "export"],
            jobs=gone[id_],
            threads_updated=threads_updated.get(id_, 0),
            storage_paths=stored[id_],
            metadata_removed=order.purge_storage,
            owner_id=owners[id_],
        )
        for id_ in ids
    }


def _threads_touched(session: Session, lectures: Sequence[Lecture]) -> dict[str, int]:
    """Return in how many threads each lecture is, where it is in any."""
    lecture_id = ThreadContribution.lecture_id
    query = (
        select(lecture_id, func.count())
        .where(lecture_id.in_([lecture.id for lecture in lectures]))
        .group_by(lecture_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _objects(lecture_ids: Sequence[str]) -> CompoundSelect[str, str, str]:
    """Return the query for all objects of these lectures that have a row."""
    recordings = select(Lecture.id.label("lecture_id")).join(
        Recording, Recording.id == Lecture.recording_id
    )
    transcripts = recordings.join(
        TranscriptRecord, TranscriptRecord.recording_id == Recording.id
    )
    own = Lecture.id.in_(lecture_ids)
    return union_all(
        recordings.add_columns(
            literal("recording").label("kind"), Recording.object_key
        ).where(own, Recording.object_key.is_not(None)),
        recordings.add_columns(literal("metadata"), Recording.metadata_key).where(own),
        transcripts.add_columns(
            literal("transcript"), TranscriptRecord.object_key
        ).where(own),
        select(Artifact.lecture_id, literal("artifact"), Artifact.object_key).where(
            Artifact.lecture_id.in_(lecture_ids)
        ),
        select(Export.lecture_id, literal("export"), Export.object_key).where(
            Export.lecture_id.in_(lecture_ids)
        ),
    )


def _delete_jobs(session: Session, lecture_ids: Sequence[str]) -> Counter[str]:
    """Cancel what is live, so that its history says so, then remove the rows.

    The answers that were paid for go as well: they hold what was said.

    Returns:
        How many jobs each lecture had.
    """
    subjects = {lecture_subject(id_): id_ for id_ in lecture_ids}
    mine = Job.subject.in_(subjects)
    live = select(Job.id).where(mine, Job.state.in_(LIVE_STATES)).order_by(Job.id)
    for job_id in session.scalars(live).all():  # at most one per lecture and stage
        jobs.cancel(session, job_id)
    ledger.forget(session, subjects)
    gone = session.scalars(delete(Job).where(mine).returning(Job.subject))
    return Counter(subjects[subject or ""] for subject in gone)


def _forget_uploads(session: Session, lecture_ids: Sequence[str]) -> None:
    """Drop what the uploads that have ended still tell of these lectures."""
    session.execute(
        delete(Upload).where(
            Upload.lecture["lecture_id"].astext.in_(lecture_ids),
            Upload.state.not_in(_COMING),
        )
    )

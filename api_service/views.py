"""Rows as clients see them; those of tables keep their columns' names."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from common.jobs.payloads import lecture_subject
from common.models import (
    Job,
    JobState,
    Lecture,
    Recording,
    Thread,
    TranscriptRecord,
)
from common.providers.storage import Storage

# The protocol's states in the clients' words.
JOB_STATUS = {
    JobState.QUEUED: "queued",
    JobState.RUNNING: "running",
    JobState.WAITING: "running",
    JobState.SUCCEEDED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
}


LectureRow = Row[Lecture, str, str | None, str]


@dataclass(frozen=True, slots=True)
class StageJob:
    """A job, as far as it tells how far its lecture has come.

    ``pieces`` is how many pieces it was split into, None of one that was not split.
    """

    id: UUID
    kind: str
    state: str
    progress: int
    pending_children: int
    error_code: str | None
    error_detail: str | None
    created_at: datetime
    updated_at: datetime
    pieces: int | None


STAGE_JOB = (
    *(getattr(Job, field.name) for field in fields(StageJob) if field.name != "pieces"),
    Job.checkpoint["fanned_out"].as_integer(),
)


def timestamp(at: datetime | None) -> str | None:
    """Return UTC with microseconds and ``Z``, e.g. ``2026-11-20T20:57:39.676113Z``."""
    if at is None:
        return None
    text = at.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def lectures() -> Select[Lecture, str, str | None, str]:
    """Return the query whose rows ``lecture`` shows."""
    return (
        select(
            Lecture,
            Recording.kind,
            Recording.object_key.label("audio_key"),
            TranscriptRecord.object_key.label("transcript_key"),
        )
        .join(Recording, Recording.id == Lecture.recording_id)
        .outerjoin(
            TranscriptRecord, TranscriptRecord.recording_id == Lecture.recording_id
        )
    )


def lecture(row: LectureRow, storage: Storage) -> dict[str, Any]:
    """Return one lecture row."""
    found: Lecture = row.Lecture
    return {
        "id": found.id,
        "course_id": found.course_id,
        "preset_id": found.preset_id,
        "title": found.title,
        "status": found.status,
        "audio_path": row.audio_key and storage.uri(row.audio_key),
        "transcript_path": row.transcript_key and storage.uri(row.transcript_key),
        "created_at": timestamp(found.created_at),
        "updated_at": timestamp(found.updated_at),
        "source_type": row.kind,
        "user_id": None,
    }


def job_status(state: str) -> str:
    """Return the clients' word for a job's state."""
    return JOB_STATUS[JobState(state)]


def job_error(job: Job | StageJob) -> str | None:
    """Return why a job failed; nothing while it may still succeed."""
    if job.state == JobState.CANCELLED:
        return "cancelled"
    if job.state != JobState.FAILED:
        return None
    return job.error_detail or job.error_code


def job(found: Job) -> dict[str, Any]:
    """Return one job with its times, as listings show it."""
    return {
        "id": str(found.id),
        "status": job_status(found.state),
        "jobType": found.kind,
        "lectureId": found.payload.get("lecture_id"),
        "result": found.result,
        "error": job_error(found),
        "createdAt": timestamp(found.created_at),
        "updatedAt": timestamp(found.updated_at),
    }


def newest_jobs(
    session: Session, lecture_ids: Collection[str]
) -> dict[str, dict[str, StageJob]]:
    """Return the newest job of each kind of each lecture, in one statement.

    Of each job only what tells how far it is: with the drafts that are kept with them
    a course's progress would be a matter of megabytes.
    """
    subjects = {lecture_subject(id_): id_ for id_ in lecture_ids}
    query = (
        select(Job.subject, *STAGE_JOB)
        .ext(distinct_on(Job.subject, Job.kind))
        .where(Job.subject.in_(subjects))
        .order_by(Job.subject, Job.kind, Job.created_at.desc(), Job.id.desc())
    )
    found: dict[str, dict[str, StageJob]] = {}
    for subject, *columns in session.execute(query):
        one = StageJob(*columns)
        found.setdefault(subjects[subject], {})[one.kind] = one
    return found


def lecture_titles(session: Session, lecture_ids: Collection[str]) -> dict[str, str]:
    """Return the titles of those lectures that exist."""
    query = select(Lecture.id, Lecture.title).where(Lecture.id.in_(lecture_ids))
    return {row.id: row.title for row in session.execute(query)}


def thread(found: Thread) -> dict[str, Any]:
    """Return one thread row."""
    return {
        "id": str(found.id),
        "course_id": found.course_id,
        "title": found.title,
        "summary": found.summary,
        "status": found.status,
        "complexity_level": found.complexity_level,
        "lecture_refs": found.lecture_refs,
        "created_at": timestamp(found.created_at),
        "face": found.face,
        "evolution_notes": found.evolution_notes,
    }

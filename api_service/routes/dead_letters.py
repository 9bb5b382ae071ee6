"""Failed jobs: listed, and tried anew as new jobs with the old ones' parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from api_service import views
from api_service.context import deps, query
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.routes.schemas import JobRow, JobStatus
from common import jobs
from common.errors import AppError, BadRequest, Conflict, NotFound
from common.jobs import Export, Generation, Payload, Transcription
from common.jobs.payloads import lecture_subject
from common.models import Job, JobState, Lecture

bp = Blueprint("dead_letters", __name__, url_prefix="/jobs")

_REPLAYABLE: dict[str, type[Payload]] = {
    payload.kind: payload for payload in (Transcription, Generation, Export)
}
_MOST_REPLAYS = 500  # one call's worth; call again for the rest


class DeadLetterQuery(PageQuery):
    """Filters of the listing."""

    lecture_id: str | None = None
    job_type: str | None = None


class DeadLetterFilters(BaseModel):
    """The filters that were applied."""

    status: str
    lectureId: str | None
    jobType: str | None


class DeadLetters(BaseModel):
    """A page of failed jobs."""

    jobs: list[JobRow]
    filters: DeadLetterFilters
    pagination: Pagination


class Replayed(BaseModel):
    """The new job that tries again what an old one failed at."""

    jobId: str
    status: JobStatus
    jobType: str
    lectureId: str
    replayedFromJobId: str


class Skipped(BaseModel):
    """A failed job that is not tried again, and why."""

    jobId: str
    jobType: str
    lectureId: str | None
    reason: str


class BatchQuery(BaseModel):
    """Which failed jobs to try again."""

    lecture_id: str | None = None
    job_type: str | None = None
    limit: Annotated[int, Field(ge=1, le=2**31)] | None = None


class BatchFilters(DeadLetterFilters):
    """The filters that were applied."""

    limit: int | None


class Batch(BaseModel):
    """What became of each failed job."""

    status: str
    requested: int
    replayedCount: int
    skippedCount: int
    replayedJobs: list[Replayed]
    skippedJobs: list[Skipped]
    filters: BatchFilters


@dataclass(frozen=True, slots=True)
class _Replay:
    """A new job, and the failed one whose place it takes."""

    job_id: UUID
    failed: Job


@bp.get("/dead-letter")
@describes(query=DeadLetterQuery, gives=DeadLetters)
def index() -> ResponseReturnValue:
    """List failed jobs, newest first."""
    wanted = query(DeadLetterQuery)
    filters = _filters(wanted.lecture_id, wanted.job_type)
    rows = (
        select(Job)
        .where(*filters)
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(wanted.limit)
        .offset(wanted.offset)
    )
    with deps().db.begin() as session:
        found = session.scalars(rows).all()
        total = session.scalar(select(func.count(Job.id)).where(*filters)) or 0
    return {
        "jobs": [views.job(job) for job in found],
        "filters": _shown_filters(wanted.lecture_id, wanted.job_type),
        "pagination": pagination(wanted, count=len(found), total=total),
    }


@bp.post("/<job_id>/replay")
@describes(gives=Replayed, errors=(400, 404, 409))
def replay(job_id: str) -> ResponseReturnValue:
    """Try a failed job again, as a new job with the same parameters.

    A failure is never replayed twice at once: while its replay is queued or running,
    that one is returned.
    """
    with deps().db.begin() as session:
        failed = session.get(Job, _uuid(job_id), with_for_update=True)
        if failed is None:
            raise NotFound("Job not found.")
        if failed.state != JobState.FAILED:
            raise Conflict("Only failed jobs can be replayed.")
        replayed = _replay(session, failed)
    return _sent([replayed])[0]


@bp.post("/dead-letter/replay")
@describes(query=BatchQuery, gives=Batch)
def replay_batch() -> ResponseReturnValue:
    """Try failed jobs again that were not tried again yet, newest first."""
    wanted = query(BatchQuery)
    replayed: list[_Replay] = []
    skipped: list[dict[str, Any]] = []
    with deps().db.begin() as session:
        found = session.scalars(_not_replayed(wanted)).all()
        for failed in found:
            try:
                replayed.append(_replay(session, failed))
            except AppError as exc:
                skipped.append(_skipped(failed, str(exc)))
    return {
        "status": "accepted",
        "requested": len(found),
        "replayedCount": len(replayed),
        "skippedCount": len(skipped),
        "replayedJobs": _sent(replayed),
        "skippedJobs": skipped,
        "filters": {
            **_shown_filters(wanted.lecture_id, wanted.job_type),
            "limit": wanted.limit,
        },
    }


def _replay(session: Session, failed: Job) -> _Replay:
    """Write the new job. What it needs is checked first.

    Raises:
        BadRequest: the job is of a kind that is not replayed, or names no lecture.
        NotFound: its lecture is gone.
    """
    payload_type = _REPLAYABLE.get(failed.kind)
    if payload_type is None:
        raise BadRequest("Replay is unsupported for this job type.")
    lecture_id = failed.payload.get("lecture_id")
    if not lecture_id:
        raise BadRequest("Job is missing lecture context.")
    if session.get(Lecture, lecture_id) is None:
        raise NotFound("Lecture not found.")
    payload = payload_type.model_validate(failed.payload)
    job_id, _ = jobs.enqueue(session, payload, replayed_from=failed.id)
    return _Replay(job_id, failed)


def _sent(replayed: Sequence[_Replay]) -> list[dict[str, Any]]:
    """Send the new jobs' tasks and return what clients are told."""
    ids = [one.job_id for one in replayed]
    if not ids:
        return []
    jobs.drain(deps().db, deps().queue.send, job_ids=ids, limit=len(ids))
    with deps().db.begin() as session:
        query = select(Job.id, Job.state).where(Job.id.in_(ids))
        states = {row.id: row.state for row in session.execute(query)}
    return [
        {
            "jobId": str(one.job_id),
            "status": views.job_status(states[one.job_id]),
            "jobType": one.failed.kind,
            "lectureId": one.failed.payload["lecture_id"],
            "replayedFromJobId": str(one.failed.id),
        }
        for one in replayed
    ]


def _not_replayed(wanted: BatchQuery) -> Any:  # noqa: ANN401 - a select of Job
    """Return failed jobs without a replay; others at work on them are passed over."""
    newer = aliased(Job)
    filters = _filters(wanted.lecture_id, wanted.job_type)
    return (
        select(Job)
        .where(
            *filters, ~select(newer.id).where(newer.replayed_from == Job.id).exists()
        )
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(min(wanted.limit or _MOST_REPLAYS, _MOST_REPLAYS))
        .with_for_update(skip_locked=True)
    )


def _filters(lecture_id: str | None, job_type: str | None) -> list[Any]:
    filters: list[Any] = [Job.state == JobState.FAILED, Job.parent_id.is_(None)]
    if lecture_id is not None:
        filters.append(Job.subject == lecture_subject(lecture_id))
    if job_type is not None:
        filters.append(Job.kind == job_type)
    return filters


def _shown_filters(lecture_id: str | None, job_type: str | None) -> dict[str, Any]:
    return {"status": "failed", "lectureId": lecture_id, "jobType": job_type}


def _skipped(failed: Job, reason: str) -> dict[str, Any]:
    return {
        "jobId": str(failed.id),
        "jobType": failed.kind,
        "lectureId": failed.payload.get("lecture_id"),
        "reason": reason,
    }


def _uuid(job_id: str) -> UUID:
    try:
        return UUID(job_id)
    except ValueError:
        raise NotFound("Job not found.") from None

"""Failed jobs: listed, and tried anew as new jobs with the old ones' parameters."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, func, select

from api_service import replays, views
from api_service.context import deps, query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.people.owners import visible_job
from api_service.routes.schemas import JobRow, JobStatus
from common.errors import AppError, NotFound
from common.jobs.payloads import lecture_subject
from common.models import Job, JobState

bp = Blueprint("dead_letters", __name__, url_prefix="/jobs")

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
    with reading() as session:
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
        replayed = replays.replay(session, _uuid(job_id))
    return replays.send([replayed])[0]


@bp.post("/dead-letter/replay")
@describes(query=BatchQuery, gives=Batch)
def replay_batch() -> ResponseReturnValue:
    """Try failed jobs again that were not tried again yet, newest first."""
    wanted = query(BatchQuery)
    with reading() as session:
        candidates = session.scalars(_not_replayed(wanted)).all()
    replayed, skipped = _replay_all(candidates)
    return {
        "status": "accepted",
        "requested": len(replayed) + len(skipped),
        "replayedCount": len(replayed),
        "skippedCount": len(skipped),
        "replayedJobs": replays.send(replayed),
        "skippedJobs": skipped,
        "filters": {
            **_shown_filters(wanted.lecture_id, wanted.job_type),
            "limit": wanted.limit,
        },
    }


def _replay_all(
    candidates: Sequence[Job],
) -> tuple[list[replays.Replay], list[dict[str, Any]]]:
    """Replay each in a transaction of its own, so that nobody waits for all."""
    replayed, skipped = [], []
    for failed in candidates:
        try:
            with deps().db.begin() as session:
                done = replays.replay(session, failed.id, only_once=True)
        except replays.AlreadyReplayed:  # by another call at this moment
            continue
        except AppError as exc:
            skipped.append(_skipped(failed, str(exc)))
        else:
            replayed.append(done)
    return replayed, skipped


def _not_replayed(wanted: BatchQuery) -> Select[Job]:
    filters = _filters(wanted.lecture_id, wanted.job_type)
    return (
        select(Job)
        .where(*filters, Job.replay_count == 0)
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(min(wanted.limit or _MOST_REPLAYS, _MOST_REPLAYS))
    )


def _filters(lecture_id: str | None, job_type: str | None) -> list[ColumnElement[bool]]:
    filters: list[ColumnElement[bool]] = [
        Job.state == JobState.FAILED,
        Job.parent_id.is_(None),
        visible_job(),
    ]
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

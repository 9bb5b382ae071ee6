"""Jobs, as those who wait for them see them."""

from typing import Any, Literal
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import func, select

from api_service import views
from api_service.context import deps, query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.people import owners
from api_service.people.owners import visible_job
from api_service.routes.schemas import JobRow, JobStatus
from common.errors import NotFound
from common.jobs.payloads import lecture_subject
from common.models import Job, Lecture

bp = Blueprint("jobs", __name__)


class JobOut(BaseModel):
    """One job; ``succeeded`` where a deployment spells ``completed`` like that."""

    id: str
    status: JobStatus | Literal["succeeded"]
    jobType: str
    result: dict[str, Any] | None
    error: str | None


class LectureJobs(BaseModel):
    """A page of one lecture's jobs."""

    lectureId: str
    jobs: list[JobRow]
    pagination: Pagination


@bp.get("/jobs/<job_id>")
@describes(gives=JobOut, errors=(404,))
def get(job_id: str) -> ResponseReturnValue:
    """Return one job."""
    with reading() as session:
        query_ = select(Job).where(Job.id == _uuid(job_id), visible_job())
        found = session.scalar(query_)
    if found is None:
        raise NotFound("Job not found.")
    return {
        "id": str(found.id),
        "status": _word(views.job_status(found.state)),
        "jobType": found.kind,
        "result": found.result,
        "error": views.job_error(found),
    }


@bp.get("/lectures/<lecture_id>/jobs")
@describes(query=PageQuery, gives=LectureJobs, errors=(404,))
def of_lecture(lecture_id: str) -> ResponseReturnValue:
    """List a lecture's jobs, newest first."""
    page = query(PageQuery)
    mine = Job.subject == lecture_subject(lecture_id)
    rows = (
        select(Job)
        .where(mine)
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(page.limit)
        .offset(page.offset)
    )
    with reading() as session:
        if owners.find(session, Lecture, lecture_id) is None:
            raise NotFound("Lecture not found.")
        found = session.scalars(rows).all()
        total = session.scalar(select(func.count(Job.id)).where(mine)) or 0
    return {
        "lectureId": lecture_id,
        "jobs": [views.job(job) for job in found],
        "pagination": pagination(page, count=len(found), total=total),
    }


def _word(status: str) -> str:
    """Return the status as this deployment spells it: old scripts wait for another."""
    return deps().settings.job_success_word if status == "completed" else status


def _uuid(job_id: str) -> UUID:
    try:
        return UUID(job_id)
    except ValueError:
        raise NotFound("Job not found.") from None

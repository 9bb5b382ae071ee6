"""Jobs of a project: asked for, listed, shown, cancelled."""

from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, RootModel
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from api_service import idempotency
from api_service.context import body, deps, reading, validated
from api_service.openapi import describes
from api_service.paging import PageQuery
from api_service.routes.projects import orders, schemas
from api_service.routes.projects.schemas import JobStatus, JobType, ProjectJob
from api_service.views import JOB_STATUS
from common import jobs
from common.errors import AppError, BadRequest, NotFound
from common.jobs import Terms
from common.models import LIVE_STATES, Job

bp = Blueprint("project_jobs", __name__, url_prefix="/projects")

_MOST_SECONDS = 60  # for a few statements, of which each may wait 30 s for a lock
_MOST_ATTEMPTS = 100
_LONGEST_DELAY_SECONDS = 86_400  # a job without progress ends after a day
_PAGE = 500  # with their logs half a megabyte; clients ask every few seconds
# One transaction at a time counts and adds. Of the locks with two numbers, 3 is ours.
_LOCK = text("select pg_advisory_xact_lock(3, 0)")


class QueueFull(AppError):
    """The queue is full. Please retry later."""

    status = 429
    code = "queue_full"
    retry_after_seconds = 5.0


class JobIn(BaseModel):
    """A job to be done; what it needs to know depends on its type."""

    job_type: JobType
    payload: dict[str, Any] = {}
    max_attempts: Annotated[int, Field(ge=1, le=_MOST_ATTEMPTS)] | None = None
    retry_delay_seconds: (
        Annotated[float, Field(ge=0, le=_LONGEST_DELAY_SECONDS)] | None
    ) = None


class ProjectJobsQuery(PageQuery):
    """Which jobs; ``status`` may be given several times."""

    status: list[JobStatus] | None = None
    limit: Annotated[int, Field(ge=0)] = _PAGE


class ProjectJobs(RootModel[list[ProjectJob]]):
    """Jobs, newest first."""


@bp.post("/<project_id>/jobs")
@describes(body=JobIn, gives=ProjectJob, status=201, errors=(400, 404, 409, 429))
def create(project_id: str) -> ResponseReturnValue:
    """Ask for a job. While the same is live already, that one is the answer.

    429 when too many jobs of all projects wait or run.
    """
    return ask(project_id, body(JobIn))


def ask(project_id: str, sent: JobIn) -> ResponseReturnValue:
    """Write a job and have it sent; answer as ``create`` does."""
    named = {"project_id": project_id, **sent.model_dump(mode="json")}
    attempt = idempotency.attempt("projects.jobs", named, seconds=_MOST_SECONDS)
    created = False
    with attempt as told:
        if told.answer is not None:
            return told.answer, 201
        with deps().db.begin() as session:
            job_id, created = _enqueue(session, project_id, sent)
            answer = _job(session, project_id, job_id)
            told.save(session, answer)
    if created:
        jobs.drain(deps().db, deps().queue.send, job_ids=[job_id])
    return answer, 201


@bp.get("/<project_id>/jobs")
@describes(query=ProjectJobsQuery, gives=ProjectJobs, errors=(400,))
def index(project_id: str) -> ResponseReturnValue:
    """List a project's jobs with their logs, newest first; at most 500."""
    states = _states([status.lower() for status in request.args.getlist("status")])
    page = validated(PageQuery, request.args.to_dict(), "query")
    query = schemas.job_query().where(Job.project_id == project_id)
    if states:
        query = query.where(Job.state.in_(states))
    query = (
        query.order_by(Job.created_at.desc(), Job.id.desc())
        .limit(min(_PAGE if page.limit is None else page.limit, _PAGE))
        .offset(page.offset)
    )
    with reading() as session:
        return schemas.jobs(session, query)


@bp.get("/<project_id>/jobs/<job_id>")
@describes(gives=ProjectJob, errors=(404,))
def get(project_id: str, job_id: str) -> ResponseReturnValue:
    """Return one job with its progress, its result and its log."""
    with reading() as session:
        return _job(session, project_id, _uuid(job_id))


@bp.post("/<project_id>/jobs/<job_id>/cancel")
@describes(gives=ProjectJob, errors=(404,))
def cancel(project_id: str, job_id: str) -> ResponseReturnValue:
    """Have a job stopped: at once if it waits, at its next step if it runs.

    It is shown as ``failed`` with the ``error_code`` ``cancelled``; clients know four
    words for a job's status and stop at a fifth. One that has ended stays as it is.
    """
    with deps().db.begin() as session:
        _job(session, project_id, _uuid(job_id))
        jobs.cancel(session, _uuid(job_id))
        return _job(session, project_id, _uuid(job_id))


def _enqueue(session: Session, project_id: str, sent: JobIn) -> tuple[UUID, bool]:
    """Write the job if there is room for one more.

    Raises:
        QueueFull: there is not.
    """
    settings = deps().settings
    attempts, delay = sent.max_attempts, sent.retry_delay_seconds
    terms = Terms(
        project_id=project_id,
        max_attempts=attempts or settings.job_max_attempts,
        retry_delay_seconds=(
            settings.job_retry_delay_seconds if delay is None else delay
        ),
    )
    payload = orders.accept(session, project_id, sent.job_type, sent.payload)
    session.execute(_LOCK)
    job_id, created = jobs.enqueue(session, payload, terms=terms)
    if created and _live(session) > settings.max_queue_size:
        raise QueueFull
    return job_id, created


def _live(session: Session) -> int:
    """Return how many jobs of all projects are live, their parts not counted."""
    query = (
        select(func.count())
        .select_from(Job)
        .where(Job.state.in_(LIVE_STATES), Job.parent_id.is_(None))
        .where(Job.project_id.is_not(None))
    )
    return session.scalar(query) or 0


def _job(session: Session, project_id: str, job_id: UUID) -> dict[str, Any]:
    query = schemas.job_query().where(Job.id == job_id, Job.project_id == project_id)
    found = schemas.jobs(session, query)
    if not found:
        raise NotFound("Job not found")
    return found[0]


def _states(wanted: list[str]) -> list[str]:
    """Return the protocol's states for clients' words.

    Raises:
        BadRequest: naming all that are no such word.
    """
    unknown = sorted(set(wanted) - set(JOB_STATUS.values()))
    if unknown:
        raise BadRequest(
            f"Invalid status filter(s): {', '.join(unknown)}", code="invalid_status"
        )
    return [state for state, word in JOB_STATUS.items() if word in wanted]


def _uuid(job_id: str) -> UUID:
    try:
        return UUID(job_id)
    except ValueError:
        raise NotFound("Job not found") from None
